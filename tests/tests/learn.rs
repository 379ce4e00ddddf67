//! Where a source address was last seen is where frames to it go.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, MULTICAST, station},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(every_frame_teaches, a_station_moves, group_and_zero_sources, a_static_address_stays);

fn every_frame_teaches(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    // Unknown unicast, multicast and broadcast all teach; so does a frame that goes nowhere.
    lan.expect(0, &Frame::new(station(0x701), station(0x7ff)), &[1, 2]);
    lan.expect(0, &Frame::new(station(0x702), MULTICAST), &[1, 2]);
    lan.expect(0, &Frame::broadcast(station(0x703)), &[1, 2]);
    lan.expect(0, &Frame::new(station(0x704), station(0x701)), &[]);
    let expected: Vec<_> = (0x701..=0x704).map(|n| (station(n).to_string(), "a1".to_owned())).collect();
    assert_eq!(lan.learned(), expected, "{}", lan.dump());
    for number in 0x701..=0x704 {
        lan.expect(1, &Frame::new(lan.mac(1), station(number)), &[0]);
    }
}

fn a_station_moves(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 4);
    lan.introduce();
    let wanderer = station(0x701);
    for at in [0, 1, 2, 0, 2] {
        lan.expect(at, &Frame::new(wanderer, lan.mac(3)), &[3]);
        assert!(lan.learned().contains(&(wanderer.to_string(), lan.port(at).to_owned())), "{}", lan.dump());
        for sequence in 0..3 {
            lan.expect(3, &Frame::new(lan.mac(3), wanderer).sequence(sequence), &[at]);
        }
    }
}

/// A group address or zero is no station: such frames go nowhere and teach nothing.
fn group_and_zero_sources(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    let before = lan.learned();
    for source in [MULTICAST, MacAddr::BROADCAST, MacAddr::ZERO] {
        for to in [lan.mac(1), station(0x7ff), MULTICAST, MacAddr::BROADCAST] {
            lan.expect(0, &Frame::new(source, to), &[]);
        }
    }
    assert_eq!(lan.learned(), before, "{}", lan.dump());
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("invalid-source"), 12);
    }
}

/// An address that the user has put on a port does not follow frames that claim it elsewhere.
fn a_static_address_stays(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    let fixed = station(0x701);
    let mac = fixed.to_string();
    if kind == Kind::Vswitch {
        lan.cli().ok(&["fdb", "add", &lan.name, &mac, lan.port(1)]);
        let rows = lan.cli().rows(&["fdb", "list", &lan.name]);
        let row = rows.iter().find(|row| row["mac"] == mac.as_str()).unwrap();
        assert_eq!((&row["kind"], &row["port"]), (&"static".into(), &"a2".into()));
    } else {
        // The bridge moves what is merely static, but not what is sticky as well.
        vswitch_tests::iproute::bridge(&[
            "fdb",
            "add",
            &mac,
            "dev",
            lan.port(1),
            "master",
            "static",
            "sticky",
        ]);
    }
    lan.expect(0, &Frame::new(lan.mac(0), fixed), &[1]);
    lan.expect(2, &Frame::new(fixed, lan.mac(0)), &[0]);
    lan.expect(0, &Frame::new(lan.mac(0), fixed).sequence(1), &[1]);
}

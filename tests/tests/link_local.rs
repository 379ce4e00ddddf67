//! The reserved group addresses 01:80:c2:00:00:00 to 0f: each ends where the Linux bridge, without spanning tree,
//! puts it.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{ETHERTYPE, Frame, station},
    iproute::ip,
    on_both,
    port::Port,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(
    each_address,
    the_mask_lets_pass,
    the_mask_of_a_port_lets_pass,
    not_quite_link_local,
    they_need_not_teach
);

const fn reserved(last: u8) -> MacAddr {
    MacAddr::new([0x01, 0x80, 0xc2, 0, 0, last])
}

fn each_address(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    let stack = Port::open_stack(lan.port(0), ETHERTYPE).unwrap();
    for last in 0..16_u8 {
        let source = station(0x700 + u16::from(last));
        let frame = Frame::new(source, reserved(last)).sequence(u32::from(last));
        // 00 is spanning tree, which passes if the bridge itself does not take part; 01 is pause, which never does;
        // all others are for the host.
        let (reaches, local, teaches) = match last {
            0 => (&[1, 2][..], false, true),
            1 => (&[][..], false, false),
            _ => (&[][..], true, true),
        };
        lan.expect(0, &frame, reaches);
        let received =
            stack.receive(Instant::now() + Duration::from_millis(if local { 2000 } else { 20 })).unwrap();
        assert_eq!(received, local.then(|| frame.build()), "{last:02x} at the host\n{}", lan.dump());
        let learned = lan.learned().iter().any(|(mac, _)| *mac == source.to_string());
        assert_eq!(learned, teaches, "{last:02x} teaches\n{}", lan.dump());
    }
    if kind == Kind::Vswitch {
        let counters = &lan.counters().unwrap()[lan.port(0)];
        assert_eq!((counters.flooded, counters.local, counters.dropped("reserved")), (1, 14, 1));
    }
}

/// LLDP (0e) passes when the mask says so, and the others do not.
fn the_mask_lets_pass(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    let lldp = Frame::new(lan.mac(0), reserved(0xe));
    lan.expect(0, &lldp, &[]);
    set_mask(&lan, None, 1 << 0xe);
    lan.expect(0, &lldp, &[1, 2]);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0xd)), &[]);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0x1)), &[]);
    set_mask(&lan, None, 0);
    lan.expect(0, &lldp, &[]);
}

/// The mask of a port is for what comes by this port; that of the switch holds besides.
fn the_mask_of_a_port_lets_pass(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    set_mask(&lan, Some(0), 1 << 0xe);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0xe)), &[1, 2]);
    lan.expect(1, &Frame::new(lan.mac(1), reserved(0xe)), &[]);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0xd)), &[]);
    set_mask(&lan, None, 1 << 0xd);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0xd)), &[1, 2]);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0xe)), &[1, 2]);
    lan.expect(1, &Frame::new(lan.mac(1), reserved(0xd)), &[0, 2]);
    set_mask(&lan, Some(0), 0);
    lan.expect(0, &Frame::new(lan.mac(0), reserved(0xe)), &[]);
}

/// The bits that the Linux bridge refuses are what labs need: pause (1) and LACP (2). Each bit is for one address.
#[test]
fn each_bit_lets_its_address_pass() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    for at in [None, Some(0)] {
        for last in 0..16_u8 {
            let frame = Frame::new(lan.mac(0), reserved(last)).sequence(u32::from(last));
            set_mask(&lan, at, !(1 << last));
            lan.expect(0, &frame, if last == 0 { &[1, 2] } else { &[] });
            set_mask(&lan, at, 1 << last);
            lan.expect(0, &frame, &[1, 2]);
        }
        set_mask(&lan, at, 0);
    }
    let row = |mask| {
        set_mask(&lan, Some(0), mask);
        lan.cli().rows(&["port", "show", "lab", "a1"]).remove(0)
    };
    assert_eq!(row(6)["group_fwd_mask"], 6);
    assert!(lan.cli().ok(&["port", "list", "lab"]).stdout.contains("group-fwd-mask=0x6"));
    assert_eq!(row(0)["group_fwd_mask"], 0);
    assert!(!lan.cli().ok(&["port", "list", "lab"]).stdout.contains("group-fwd-mask"));
}

/// Sets the mask of a station's port, or of the switch or bridge.
fn set_mask(lan: &Lan, station: Option<usize>, mask: u16) {
    match (lan.kind, station.map(|station| lan.port(station))) {
        (Kind::Vswitch, None) => {
            lan.cli().ok(&["switch", "set", &lan.name, &format!("group-fwd-mask={mask:#x}")]);
        }
        (Kind::Vswitch, Some(port)) => {
            lan.cli().ok(&["port", "set", &lan.name, port, &format!("group-fwd-mask={mask}")]);
        }
        (Kind::Bridge, None) => {
            ip(&["link", "set", &lan.name, "type", "bridge", "group_fwd_mask", &mask.to_string()]);
        }
        (Kind::Bridge, Some(port)) => {
            ip(&["link", "set", port, "type", "bridge_slave", "group_fwd_mask", &mask.to_string()]);
        }
    }
}

/// A switch may be told to learn nothing from what it hands to the host.
fn they_need_not_teach(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    let knob = |learns: bool| {
        if kind == Kind::Vswitch {
            let word = format!("linklocal-learn={}", if learns { "on" } else { "off" });
            lan.cli().ok(&["switch", "set", &lan.name, &word]);
        } else {
            let word = if learns { "0" } else { "1" };
            ip(&["link", "set", &lan.name, "type", "bridge", "no_linklocal_learn", word]);
        }
    };
    let teaches = |number: u16, destination: MacAddr, reaches: &[usize]| {
        let source = station(0x700 + number);
        lan.expect(0, &Frame::new(source, destination), reaches);
        lan.learned().iter().any(|(mac, _)| *mac == source.to_string())
    };
    assert!(teaches(1, reserved(0xe), &[]));
    knob(false);
    assert!(!teaches(2, reserved(0xe), &[]));
    // What is forwarded teaches all the same.
    assert!(teaches(3, reserved(0), &[1, 2]));
    assert!(teaches(4, MacAddr::BROADCAST, &[1, 2]));
    knob(true);
    assert!(teaches(5, reserved(0xe), &[]));
}

/// The neighbours of the sixteen addresses are ordinary multicast.
fn not_quite_link_local(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    let others = [
        reserved(0x10),
        reserved(0xff),
        MacAddr::new([0x01, 0x80, 0xc2, 0, 1, 0]),
        MacAddr::new([0x01, 0x80, 0xc3, 0, 0, 1]),
        MacAddr::new([0x03, 0x80, 0xc2, 0, 0, 1]),
    ];
    for (sequence, other) in (0..).zip(others) {
        lan.expect(0, &Frame::new(lan.mac(0), other).sequence(sequence), &[1, 2]);
    }
}

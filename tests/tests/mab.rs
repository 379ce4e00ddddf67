//! MAC authentication bypass: a locked port notes who asks to be let in.

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, station},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

const STRANGER: MacAddr = station(0x701);

fn lan(sandbox: &Sandbox) -> Lan<'_> {
    let lan = Lan::new(sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan
}

#[test]
fn strangers_are_noted_and_dropped() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let frame = Frame::new(STRANGER, lan.mac(1));
    // Off means off: a locked port without it notes nobody.
    lan.set(0, &["locked=on"]);
    lan.expect(0, &frame, &[]);
    assert!(lan.entry(STRANGER).is_null());
    lan.set(0, &["mab=on"]);
    for sequence in 0..3 {
        lan.expect(0, &frame.clone().sequence(sequence), &[]);
    }
    let entry = lan.entry(STRANGER);
    assert_eq!(
        (&entry["locked"], &entry["port"], &entry["kind"]),
        (&true.into(), &"a1".into(), &"dynamic".into())
    );
    assert_eq!(lan.counters().unwrap()["a1"].dropped("locked"), 4);
    // Who was known before goes on, and is not locked.
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    assert_eq!(lan.entry(lan.mac(0))["locked"], false);
    // A protocol that is the host's own is heard, and with the key opens no lock.
    lan.cli().ok(&["switch", "set", "lab", "linklocal-learn=off"]);
    let other = station(0x702);
    lan.expect(0, &Frame::new(other, MacAddr::new([1, 0x80, 0xc2, 0, 0, 0xe])), &[]);
    assert!(lan.entry(other).is_null());
    assert_eq!(lan.counters().unwrap()["a1"].local, 1);
}

#[test]
fn the_user_lets_in() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    lan.set(0, &["locked=on", "mab=on"]);
    let frame = Frame::new(STRANGER, lan.mac(1));
    lan.expect(0, &frame, &[]);
    let mac = STRANGER.to_string();
    lan.cli().ok(&["fdb", "replace", "lab", &mac, "a1", "--dynamic"]);
    assert_eq!(lan.entry(STRANGER)["locked"], false);
    for sequence in 1..3 {
        lan.expect(0, &frame.clone().sequence(sequence), &[1]);
    }
    // And throws out: the verdict for the flow is void at once.
    lan.cli().ok(&["fdb", "del", "lab", &mac]);
    lan.expect(0, &frame.clone().sequence(3), &[]);
    assert_eq!(lan.entry(STRANGER)["locked"], true);
    lan.cli().ok(&["fdb", "add", "lab", &mac, "a1"]);
    lan.expect(0, &frame.clone().sequence(4), &[1]);
}

#[test]
fn it_roams_to_a_port_that_is_not_locked() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    lan.set(0, &["locked=on", "mab=on"]);
    lan.expect(0, &Frame::new(STRANGER, lan.mac(1)), &[]);
    lan.expect(2, &Frame::new(STRANGER, lan.mac(1)), &[1]);
    let entry = lan.entry(STRANGER);
    assert_eq!((&entry["locked"], &entry["port"]), (&false.into(), &"a3".into()));
    lan.expect(1, &Frame::new(lan.mac(1), STRANGER), &[2]);
    // Back at the locked port it is somebody else's address, which stays where it is.
    lan.expect(0, &Frame::new(STRANGER, lan.mac(1)).sequence(1), &[]);
    assert_eq!(lan.entry(STRANGER)["port"], "a3");
}

#[test]
fn limits_and_ends() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let refused = lan.cli().run(&["port", "set", "lab", "a1", "mab=on"]).refused();
    assert!(refused.stderr.contains("needs a port that is locked and learns"), "{refused:?}");
    lan.cli().run(&["port", "set", "lab", "a1", "mab=on", "locked=on", "learning=off"]).refused();
    lan.set(0, &["locked=on", "mab=on", "max-macs=3"]);
    lan.cli().run(&["port", "set", "lab", "a1", "locked=off"]).refused();
    for number in 0x701..0x708 {
        lan.expect(0, &Frame::new(station(number), lan.mac(1)), &[]);
    }
    // One of the three is the station that was there before.
    let locked = |lan: &Lan<'_>| {
        lan.cli().rows(&["fdb", "list", "lab"]).iter().filter(|row| row["locked"] == true).count()
    };
    assert_eq!((locked(&lan), lan.row(0)["macs"].as_u64()), (2, Some(3)));
    lan.set(0, &["mab=off"]);
    assert_eq!((locked(&lan), lan.row(0)["macs"].as_u64()), (0, Some(1)));
    lan.set(0, &["locked=off"]);
    lan.expect(0, &Frame::new(station(0x701), lan.mac(1)), &[1]);
}

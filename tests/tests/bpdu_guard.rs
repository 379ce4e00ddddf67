//! A BPDU shuts a guarded port: nothing enters or leaves by it until the hold time is over or the user opens it.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, station},
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

const STP: MacAddr = MacAddr::new([1, 0x80, 0xc2, 0, 0, 0]);
const PVST: MacAddr = MacAddr::new([1, 0, 0xc, 0xcc, 0xcc, 0xcd]);

fn lan(sandbox: &Sandbox) -> Lan<'_> {
    let lan = Lan::new(sandbox, Kind::Vswitch, 4);
    lan.introduce();
    lan
}

fn dropped(lan: &Lan<'_>, port: &str, reason: &str) -> u64 {
    lan.counters().unwrap()[port].dropped(reason)
}

#[test]
fn off_means_off() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    lan.set(1, &["guard=on"]);
    for destination in [STP, PVST] {
        lan.expect(0, &Frame::new(lan.mac(0), destination), &[1, 2, 3]);
    }
    assert_eq!(lan.row(0)["state"], "forwarding");
    lan.set(1, &["guard=off"]);
    lan.expect(1, &Frame::new(lan.mac(1), STP), &[0, 2, 3]);
    // On, other groups are no matter.
    lan.set(1, &["guard=on"]);
    let nearly = MacAddr::new([1, 0, 0xc, 0xcc, 0xcc, 0xcc]);
    lan.expect(1, &Frame::new(lan.mac(1), nearly), &[0, 2, 3]);
    assert!(lan.row(1)["shut"].is_null());
}

#[test]
fn a_shut_port_is_out_until_it_is_opened() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let fixed = station(0x701);
    lan.cli().ok(&["fdb", "add", "lab", &fixed.to_string(), "a2"]);
    for (round, destination) in [STP, PVST].into_iter().enumerate() {
        let number = |sequence: u32| u32::try_from(round).unwrap() * 100 + sequence;
        lan.set(1, &["guard=on", "state=forwarding"]);
        lan.expect(1, &Frame::broadcast(lan.mac(1)).sequence(number(0)), &[0, 2, 3]);
        // Verdicts in the cache, both ways, and to a static address.
        for sequence in 1..3 {
            lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(number(sequence)), &[1]);
            lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).sequence(number(sequence)), &[0]);
            lan.expect(0, &Frame::new(lan.mac(0), fixed).sequence(number(sequence)), &[1]);
        }
        lan.expect(1, &Frame::new(lan.mac(1), destination), &[]);
        let row = lan.row(1);
        assert_eq!((&row["state"], &row["shut"]["reason"]), (&"shut".into(), &"bpdu".into()));
        let left = row["shut"]["left_ms"].as_u64().unwrap();
        assert!((50_000..=60_000).contains(&left), "{left}");
        let listed = lan.cli().ok(&["port", "list", "lab"]).stdout;
        assert!(listed.contains("shut (bpdu, ") && listed.contains(" s left)"), "{listed}");

        // The very next frames: none enters, none leaves, and what was learned is looked for elsewhere.
        lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).sequence(number(3)), &[]);
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(number(3)), &[2, 3]);
        lan.expect(0, &Frame::new(lan.mac(0), fixed).sequence(number(3)), &[]);
        lan.expect(0, &Frame::broadcast(lan.mac(0)).sequence(number(3)), &[2, 3]);
        lan.expect(2, &Frame::new(lan.mac(2), lan.mac(3)).sequence(number(3)), &[3]);
        lan.expect(3, &Frame::broadcast(lan.mac(1)).sequence(number(4)), &[0, 2]);
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(number(5)), &[3]);
        let times = u64::try_from(round).unwrap() + 1;
        assert_eq!((dropped(&lan, "a2", "bpdu"), dropped(&lan, "a2", "shut")), (times, times));
        assert_eq!(dropped(&lan, "a1", "egress-not-forwarding"), times);

        // Another key opens nothing.
        lan.set(1, &["isolated=off", "guard=off"]);
        assert_eq!(lan.row(1)["state"], "shut");
        lan.set(1, &["state=forwarding"]);
        assert_eq!(lan.row(1)["state"], "forwarding");
        lan.expect(0, &Frame::new(lan.mac(0), fixed).sequence(number(6)), &[1]);
        lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).sequence(number(6)), &[0]);
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(number(6)), &[1]);
    }
}

#[test]
fn it_opens_by_itself_unless_that_is_not_wanted() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    lan.cli().ok(&["switch", "set", "lab", "hold=1"]);
    lan.set(1, &["guard=on"]);
    lan.expect(1, &Frame::new(lan.mac(1), STP), &[]);
    assert_eq!(lan.row(1)["state"], "shut");
    wait::until("the hold time is over", || lan.row(1)["state"] == "forwarding");
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[0, 2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    lan.cli().ok(&["switch", "set", "lab", "hold=0"]);
    lan.expect(1, &Frame::new(lan.mac(1), STP), &[]);
    let row = lan.row(1);
    assert!(row["state"] == "shut" && row["shut"]["left_ms"].is_null(), "{row}");
    let listed = lan.cli().ok(&["port", "show", "lab", "a2"]).stdout;
    assert!(listed.contains("shut (bpdu, until opened)"), "{listed}");
    // A port that is made anew is open.
    lan.remove_port(1);
    let mut lan = lan;
    let new = lan.add(&[]);
    lan.expect(new, &Frame::broadcast(lan.mac(new)), &[0, 2, 3]);
}

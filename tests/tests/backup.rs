//! A port whose device is down gets nothing, and the port that is named as its backup takes over.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{thread, time::Duration};

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, MULTICAST, station},
    iproute::{bridge, bridge_json, ip},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

on_both!(
    the_backup_takes_over,
    without_a_backup_the_frame_is_lost,
    learned_addresses_stay,
    only_one_step,
    never_back_to_the_backup
);

const FIXED: MacAddr = station(0x702);

/// Five stations, and an address behind port 1 that the user has added.
fn lan(sandbox: &Sandbox, kind: Kind) -> Lan<'_> {
    let lan = Lan::new(sandbox, kind, 5);
    lan.introduce();
    fix(&lan, FIXED, 1);
    lan.expect(0, &Frame::new(lan.mac(0), FIXED), &[1]);
    lan
}

fn fix(lan: &Lan, mac: MacAddr, at: usize) {
    let mac = mac.to_string();
    match lan.kind {
        Kind::Vswitch => drop(lan.cli().ok(&["fdb", "add", "lab", &mac, lan.port(at)])),
        Kind::Bridge => drop(bridge(&["fdb", "add", &mac, "dev", lan.port(at), "master", "static"])),
    }
}

/// Names the port that takes over for a station's, or none.
fn back_up(lan: &Lan, station: usize, backup: Option<usize>) {
    match (lan.kind, backup.map(|backup| lan.port(backup))) {
        (Kind::Vswitch, backup) => {
            let word = format!("backup-port={}", backup.unwrap_or("none"));
            lan.cli().ok(&["port", "set", "lab", lan.port(station), &word]);
        }
        (Kind::Bridge, Some(backup)) => {
            ip(&["link", "set", lan.port(station), "type", "bridge_slave", "backup_port", backup]);
        }
        (Kind::Bridge, None) => {
            ip(&["link", "set", lan.port(station), "type", "bridge_slave", "nobackup_port"]);
        }
    }
}

/// The interface in a station's namespace goes down or up, and with it the carrier of its port.
fn set_carrier(lan: &Lan, station: usize, up: bool) {
    let port = lan.port(station);
    ip(&["-n", port, "link", "set", "eth0", if up { "up" } else { "down" }]);
    wait::until("the kernel has announced the carrier", || {
        let flags = ip(&["link", "show", port]);
        flags.contains("LOWER_UP") == up && flags.contains("state UP") == up
    });
    if lan.kind == Kind::Bridge {
        let state = if up { "forwarding" } else { "disabled" };
        wait::until("the bridge port follows", || {
            bridge_json(&["link", "show", "dev", port])[0]["state"] == state
        });
    }
    // The wire reports once that it was down.
    let _ = lan.stations[station].wire.try_receive();
}

/// Several frames of a flow that has a verdict in the cache: within its life, a second, each must come to where it
/// is expected.
fn goes_to(lan: &Lan, to: MacAddr, at: &[usize]) {
    for sequence in 0..3 {
        lan.expect(0, &Frame::new(lan.mac(0), to).sequence(sequence), at);
    }
}

fn the_backup_takes_over(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    goes_to(&lan, FIXED, &[1]);
    back_up(&lan, 1, Some(2));
    goes_to(&lan, FIXED, &[1]);
    for round in 0..3 {
        set_carrier(&lan, 1, false);
        // The very next frame.
        goes_to(&lan, FIXED, &[2]);
        lan.expect(0, &Frame::broadcast(lan.mac(0)).sequence(round), &[2, 3, 4]);
        set_carrier(&lan, 1, true);
        if kind == Kind::Vswitch {
            // A verdict may live for a second.
            thread::sleep(Duration::from_millis(1100));
        }
        goes_to(&lan, FIXED, &[1]);
        lan.expect(0, &Frame::broadcast(lan.mac(0)).sequence(round), &[1, 2, 3, 4]);
    }
    // Off means off.
    set_carrier(&lan, 1, false);
    goes_to(&lan, FIXED, &[2]);
    back_up(&lan, 1, None);
    goes_to(&lan, FIXED, &[]);
}

fn without_a_backup_the_frame_is_lost(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    set_carrier(&lan, 1, false);
    let before = lan.counters();
    goes_to(&lan, FIXED, &[]);
    for cast in [Frame::broadcast(lan.mac(0)), Frame::new(lan.mac(0), MULTICAST)] {
        lan.expect(0, &cast, &[2, 3, 4]);
    }
    lan.expect(0, &Frame::new(lan.mac(0), station(0x7ff)), &[2, 3, 4]);
    if let (Some(before), Some(after)) = (before, lan.counters()) {
        let (down, ingress) = (lan.port(1), lan.port(0));
        assert_eq!(after[down], before[down], "a port that is down sends nothing");
        assert_eq!(after[ingress].dropped("device-down"), 3, "{after:?}");
    }
    set_carrier(&lan, 1, true);
    goes_to(&lan, FIXED, &[1]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3, 4]);
}

/// What is behind a port with a backup is not forgotten when it goes down: the backup leads there as well.
fn learned_addresses_stay(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    goes_to(&lan, lan.mac(1), &[1]);
    back_up(&lan, 1, Some(2));
    set_carrier(&lan, 1, false);
    goes_to(&lan, lan.mac(1), &[2]);
    assert!(lan.learned().contains(&(lan.mac(1).to_string(), lan.port(1).to_owned())), "{}", lan.dump());
    if kind == Kind::Vswitch {
        // A command that clears away what a killed one left does not forget it either.
        lan.cli().ok(&["port", "del", "lab", lan.port(4)]);
        goes_to(&lan, lan.mac(1), &[2]);
    }
}

/// A backup that is down is not replaced by its own backup.
fn only_one_step(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    back_up(&lan, 1, Some(2));
    back_up(&lan, 2, Some(1));
    set_carrier(&lan, 1, false);
    goes_to(&lan, FIXED, &[2]);
    back_up(&lan, 2, Some(3));
    set_carrier(&lan, 2, false);
    goes_to(&lan, FIXED, &[]);
}

/// A frame does not leave by the port by which it came, whatever the detour.
fn never_back_to_the_backup(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    back_up(&lan, 1, Some(0));
    set_carrier(&lan, 1, false);
    goes_to(&lan, FIXED, &[]);
    lan.expect(3, &Frame::new(lan.mac(3), FIXED), &[0]);
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("same-port"), 3);
    }
}

/// The port is taken away: it takes over for nobody, and neither does the next port in its place.
#[test]
fn a_removed_backup_is_forgotten() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = lan(&sandbox, Kind::Vswitch);
    back_up(&lan, 1, Some(2));
    lan.remove_port(2);
    lan.add(&[]);
    let row = |lan: &Lan| lan.cli().rows(&["port", "show", "lab", "a2"]).remove(0);
    assert!(row(&lan)["backup_port"].is_null(), "{}", row(&lan));
    set_carrier(&lan, 1, false);
    goes_to(&lan, FIXED, &[]);
    back_up(&lan, 1, Some(3));
    assert_eq!(row(&lan)["backup_port"], "a4");
    assert!(lan.cli().ok(&["port", "list", "lab"]).stdout.contains("backup-port=a4"));
    goes_to(&lan, FIXED, &[3]);
    for (word, why) in [("backup-port=a2", "own backup"), ("backup-port=a9", "a9"), ("backup-port=", "none")]
    {
        let said = lan.cli().run(&["port", "set", "lab", "a2", word]).refused().stderr;
        assert!(said.contains(why), "{said}");
    }
    assert_eq!(row(&lan)["backup_port"], "a4", "a refusal changes nothing");
    // A port can be made with one.
    lan.add(&["backup-port=a1"]);
    let made = lan.cli().rows(&["port", "show", "lab", "a7"]).remove(0);
    assert_eq!(made["backup_port"], "a1");
}

/// A tap that nobody has opened has no carrier, and had none when it became a port.
#[test]
fn an_unopened_tap_gets_nothing() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    lan.cli().ok(&["port", "add", "lab", "t1", "--tap"]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3, 4]);
    assert_eq!(lan.counters().unwrap()["t1"].tx_frames, 0);
    let tap = vswitch_tests::device::open_tap("t1").unwrap();
    wait::until("the kernel has announced the carrier", || ip(&["link", "show", "t1"]).contains("state UP"));
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3, 4]);
    assert_eq!(lan.counters().unwrap()["t1"].tx_frames, 1);
    drop(tap);
    wait::until("the carrier is gone", || ip(&["link", "show", "t1"]).contains("state DOWN"));
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3, 4]);
    assert_eq!(lan.counters().unwrap()["t1"].tx_frames, 1);
}

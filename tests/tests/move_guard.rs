//! Addresses that move too often, and what a port's guard does about it.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::time::{Duration, Instant};

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, station},
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

const WANDERER: MacAddr = station(0x701);

/// The address is at station 1 and station 2 by turns, that many times, within a second or two. Where it is in the end.
fn wander(lan: &Lan<'_>, times: usize) -> String {
    for turn in 0..times {
        let frame = Frame::new(WANDERER, lan.mac(0)).sequence(u32::try_from(turn).unwrap());
        lan.stations[1 + turn % 2].wire.send(&frame.build()).unwrap();
        // The next one must not overtake it.
        let before = Instant::now();
        while before.elapsed() < Duration::from_millis(2) {}
    }
    lan.collect(|_| true);
    lan.entry(WANDERER)["port"].as_str().unwrap().to_owned()
}

fn lan<'a>(sandbox: &'a Sandbox, guard: &str) -> Lan<'a> {
    let lan = Lan::new(sandbox, Kind::Vswitch, 3);
    lan.introduce();
    let word = format!("move-guard={guard}");
    for index in [1, 2] {
        lan.set(index, &[&word]);
        assert_eq!(lan.row(index)["move_guard"], guard);
    }
    lan
}

fn dropped(lan: &Lan<'_>, reason: &str) -> u64 {
    let counters = lan.counters().unwrap();
    ["a2", "a3"].iter().map(|port| counters[*port].dropped(reason)).sum()
}

#[test]
fn off_and_log_let_it_move() {
    let sandbox = Sandbox::enter().unwrap();
    for guard in ["off", "log"] {
        let lan = lan(&sandbox, guard);
        assert_eq!(wander(&lan, 40), "a3");
        assert_eq!((dropped(&lan, "held"), dropped(&lan, "shut")), (0, 0));
        assert!(lan.row(1)["shut"].is_null() && lan.row(2)["shut"].is_null());
        lan.cli().ok(&["switch", "del", "lab"]);
        for name in ["a1", "a2", "a3"] {
            vswitch_tests::sandbox::NetNs::open(name).unwrap().delete().unwrap();
        }
    }
}

/// Moves within the limit are no matter for any guard.
#[test]
fn a_few_moves_are_no_matter() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, "shut");
    assert_eq!(wander(&lan, 6), "a3");
    lan.cli().ok(&["switch", "set", "lab", "move-limit=60"]);
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(wander(&lan, 40), "a3");
    assert_eq!((dropped(&lan, "held"), dropped(&lan, "shut")), (0, 0));
}

#[test]
fn hold_leaves_it_where_it_is() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, "hold");
    let at = wander(&lan, 40);
    let held = dropped(&lan, "held");
    assert!(held >= 10, "{held} frames were held\n{}", lan.dump());
    assert_eq!(dropped(&lan, "shut"), 0);
    // Where it is, it goes on; a second later it may move again.
    let (here, there) = if at == "a2" { (1, 2) } else { (2, 1) };
    lan.expect(here, &Frame::new(WANDERER, lan.mac(0)).sequence(100), &[0]);
    std::thread::sleep(Duration::from_millis(1200));
    lan.expect(there, &Frame::new(WANDERER, lan.mac(0)).sequence(101), &[0]);
    assert_eq!(lan.entry(WANDERER)["port"], lan.port(there));
}

#[test]
fn shut_shuts_the_port_to_which_it_moves() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, "shut");
    let at = wander(&lan, 40);
    let (here, there) = if at == "a2" { (1, 2) } else { (2, 1) };
    let row = lan.row(there);
    assert_eq!((&row["state"], &row["shut"]["reason"]), (&"shut".into(), &"moves".into()));
    assert_eq!(lan.row(here)["state"], "forwarding");
    lan.expect(there, &Frame::broadcast(lan.mac(there)), &[]);
    lan.expect(here, &Frame::new(WANDERER, lan.mac(0)).sequence(100), &[0]);
    lan.expect(0, &Frame::new(lan.mac(0), WANDERER), &[here]);
    lan.set(there, &["state=forwarding"]);
    lan.expect(there, &Frame::broadcast(lan.mac(there)).sequence(1), &lan.others(there));
}

/// Many addresses that move once each are too many for one port as well.
#[test]
fn the_rate_of_a_port() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, "shut");
    lan.cli().ok(&["switch", "set", "lab", "move-limit=2"]);
    for from in [1, 2] {
        for number in 0x800..0x840 {
            lan.stations[from].wire.send(&Frame::new(station(number), lan.mac(0)).build()).unwrap();
        }
        lan.collect(|_| true);
    }
    assert_eq!((&lan.row(1)["state"], &lan.row(2)["state"]), (&"forwarding".into(), &"shut".into()));
    assert_eq!(lan.counters().unwrap()["a3"].dropped("shut"), 64 - 32);
    wait::until("nothing is left", || lan.row(1)["macs"] == 33);
}

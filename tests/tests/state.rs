//! The state of a port, set by hand: what enters, what leaves, what is learned, and what stays known.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_tests::{
    frame::{Frame, station},
    iproute::{bridge, ip},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(
    forwarding,
    learning,
    blocking,
    disabled,
    addresses_stay,
    a_link_that_is_down_delivers_nothing,
    what_was_sticky_is_learned_anew,
);

fn lan(sandbox: &Sandbox, kind: Kind) -> Lan<'_> {
    let lan = Lan::new(sandbox, kind, 3);
    lan.introduce();
    lan
}

/// Off means off: a port that is set back to forwarding is as before.
fn forwarding(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let there = Frame::new(lan.mac(0), lan.mac(1));
    for state in ["disabled", "blocking", "learning"] {
        // With a verdict in the cache.
        lan.expect(0, &there, &[1]);
        lan.set_state(0, state);
        lan.expect(0, &there, &[]);
        lan.set_state(0, "forwarding");
        lan.expect(0, &there, &[1]);
        lan.set_state(1, state);
        lan.expect(0, &there, &[]);
        lan.expect(0, &Frame::broadcast(lan.mac(0)), &[2]);
        lan.set_state(1, "forwarding");
        lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2]);
    }
}

fn learning(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    lan.set_state(0, "learning");
    lan.expect(0, &Frame::new(station(0x701), lan.mac(1)), &[]);
    lan.set_state(0, "forwarding");
    lan.expect(1, &Frame::new(lan.mac(1), station(0x701)), &[0]);
}

fn blocking(kind: Kind) {
    teaches_nothing(kind, "blocking");
}

fn disabled(kind: Kind) {
    teaches_nothing(kind, "disabled");
}

fn teaches_nothing(kind: Kind, state: &str) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    lan.set_state(0, state);
    lan.expect(0, &Frame::new(station(0x701), lan.mac(1)), &[]);
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("not-forwarding"), 1);
    }
    lan.set_state(0, "forwarding");
    lan.expect(1, &Frame::new(lan.mac(1), station(0x701)), &[0, 2]);
}

/// What was learned behind a port is not forgotten by a state, and frames to it are not flooded elsewhere.
fn addresses_stay(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let there = Frame::new(lan.mac(0), lan.mac(1));
    for state in ["disabled", "blocking", "learning"] {
        lan.set_state(1, state);
        lan.expect(0, &there, &[]);
        lan.set_state(1, "forwarding");
        lan.expect(0, &there, &[1]);
    }
    assert_eq!(lan.learned().len(), 3, "{}", lan.dump());
}

/// An address that ages cannot be added where nothing is learned; a static one can.
#[test]
fn what_ages_is_not_added_behind_a_blocked_port() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    let mac = station(0x701).to_string();
    let add = ["fdb", "add", &lan.name, &mac, lan.port(0)];
    let sticky = [&add[..], &["--sticky"]].concat();
    for state in ["disabled", "blocking"] {
        lan.set_state(0, state);
        let refused = lan.cli().run(&sticky).refused();
        assert!(refused.stderr.contains(state), "{}", refused.stderr);
        lan.cli().ok(&add);
        lan.cli().ok(&["fdb", "del", &lan.name, &mac]);
    }
    lan.set_state(0, "learning");
    lan.cli().ok(&sticky);
}

/// Addresses that are not there any more cannot be removed, even if their memory was not reclaimed yet.
#[test]
fn what_a_link_forgot_is_not_there() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    let mac = lan.mac(1).to_string();
    ip(&["link", "set", lan.port(1), "down"]);
    let refused = lan.cli().run(&["fdb", "del", &lan.name, &mac]).refused();
    assert!(refused.stderr.contains("has no address"), "{}", refused.stderr);
}

/// A static address outlives the link, but nothing is delivered to it while the port's device is down.
fn a_link_that_is_down_delivers_nothing(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let mac = lan.mac(1).to_string();
    let there = Frame::new(lan.mac(0), lan.mac(1));
    if kind == Kind::Vswitch {
        lan.cli().ok(&["fdb", "add", &lan.name, &mac, lan.port(1)]);
    } else {
        bridge(&["fdb", "replace", &mac, "dev", lan.port(1), "master", "static"]);
    }
    lan.expect(0, &there, &[1]);
    ip(&["link", "set", lan.port(1), "down"]);
    lan.expect(0, &there, &[]);
    lan.expect(0, &there.clone().sequence(1), &[]);
    ip(&["link", "set", lan.port(1), "up"]);
    lan.until_up(1);
    lan.expect(0, &there, &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)), &[0]);
    lan.expect(0, &there, &[1]);
}

/// What a link forgot is learned anew, as any other address, even if it was sticky before.
fn what_was_sticky_is_learned_anew(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let mac = station(0x701).to_string();
    if kind == Kind::Vswitch {
        lan.cli().ok(&["fdb", "add", &lan.name, &mac, lan.port(1), "--sticky"]);
    } else {
        bridge(&["fdb", "replace", &mac, "dev", lan.port(1), "master", "dynamic", "sticky"]);
    }
    let speaks = Frame::new(station(0x701), lan.mac(0));
    let answer = Frame::new(lan.mac(0), station(0x701));
    lan.expect(2, &speaks, &[0]);
    lan.expect(0, &answer, &[1]);
    ip(&["link", "set", lan.port(1), "down"]);
    ip(&["link", "set", lan.port(1), "up"]);
    lan.until_up(1);
    lan.expect(1, &Frame::broadcast(station(0x701)), &[0, 2]);
    lan.expect(0, &answer, &[1]);
    lan.expect(2, &speaks, &[0]);
    lan.expect(0, &answer, &[2]);
}

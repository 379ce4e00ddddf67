//! Each knob of a port: off means off, for the very next frame, even with a verdict in the cache.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_tests::{
    frame::{Frame, MULTICAST, station},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(learning, flood, mcast_flood, bcast_flood, isolated, hairpin, locked);

fn lan(sandbox: &Sandbox, kind: Kind) -> Lan<'_> {
    let lan = Lan::new(sandbox, kind, 4);
    lan.introduce();
    lan
}

fn learning(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let quiet = station(0x701);
    lan.set_flag(0, "learning", false);
    lan.expect(0, &Frame::new(quiet, lan.mac(1)), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), quiet), &[0, 2, 3]);
    // With a verdict cached for this very flow, the next frame teaches all the same.
    lan.expect(0, &Frame::new(quiet, lan.mac(1)).sequence(1), &[1]);
    lan.set_flag(0, "learning", true);
    lan.expect(0, &Frame::new(quiet, lan.mac(1)).sequence(2), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), quiet).sequence(1), &[0]);
}

fn flood(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let unknown = Frame::new(lan.mac(0), station(0x7ff));
    lan.expect(0, &unknown, &[1, 2, 3]);
    lan.set_flag(1, "flood", false);
    lan.expect(0, &unknown, &[2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), MULTICAST), &[1, 2, 3]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    lan.set_flag(1, "flood", true);
    lan.expect(0, &unknown, &[1, 2, 3]);
}

fn mcast_flood(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let multicast = Frame::new(lan.mac(0), MULTICAST);
    lan.set_flag(1, "mcast-flood", false);
    lan.expect(0, &multicast, &[2, 3]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), station(0x7ff)), &[1, 2, 3]);
    lan.set_flag(1, "mcast-flood", true);
    lan.expect(0, &multicast, &[1, 2, 3]);
}

fn bcast_flood(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let broadcast = Frame::broadcast(lan.mac(0));
    lan.set_flag(1, "bcast-flood", false);
    lan.expect(0, &broadcast, &[2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), MULTICAST), &[1, 2, 3]);
    lan.set_flag(1, "bcast-flood", true);
    lan.expect(0, &broadcast, &[1, 2, 3]);
}

/// Two isolated ports do not reach each other; each reaches the others.
fn isolated(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let direct = Frame::new(lan.mac(0), lan.mac(1));
    lan.expect(0, &direct, &[1]);
    lan.set_flag(0, "isolated", true);
    lan.expect(0, &direct, &[1]);
    lan.set_flag(1, "isolated", true);
    lan.expect(0, &direct, &[]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)), &[2]);
    lan.expect(2, &Frame::new(lan.mac(2), lan.mac(1)), &[1]);
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("isolated"), 1);
    }
    lan.set_flag(1, "isolated", false);
    lan.expect(0, &direct, &[1]);
}

/// A frame may leave by the port by which it came.
fn hairpin(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1, 2, 3]);
    let back = Frame::new(lan.mac(0), station(0x701));
    lan.expect(0, &back, &[]);
    lan.set_flag(0, "hairpin", true);
    lan.expect(0, &back, &[0]);
    lan.expect(0, &back.clone().sequence(1), &[0]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[0, 1, 2, 3]);
    lan.set_flag(0, "hairpin", false);
    lan.expect(0, &back, &[]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
}

/// Only known stations are admitted, and frames do not make one known.
fn locked(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let stranger = Frame::new(station(0x701), lan.mac(1));
    let known = Frame::new(lan.mac(0), lan.mac(1));
    lan.expect(0, &stranger, &[1]);
    lan.flush();
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[0, 2, 3]);
    lan.expect(0, &known, &[1]);
    // As `bridge link set ... locked on` without learning off: what frames teach must not open the lock.
    lan.set_flag(0, "learning", false);
    lan.set_flag(0, "locked", true);
    lan.expect(0, &known, &[1]);
    lan.expect(0, &stranger, &[]);
    lan.expect(0, &stranger, &[]);
    lan.expect(2, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    // Now the known station is behind another port.
    lan.expect(0, &known, &[]);
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("locked"), 3);
    }
    lan.set_flag(0, "locked", false);
    lan.expect(0, &stranger, &[1]);
}

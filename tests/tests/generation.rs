//! A verdict in the cache never outlives its reason: after each kind of change, the very next frame of a running flow
//! follows the change.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    thread,
    time::{Duration, Instant},
};

use vswitch_tests::{
    frame::{Frame, station},
    iproute::bridge,
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(
    move_of_the_destination,
    deleted_address,
    flush,
    added_address,
    deleted_port,
    added_port,
    ageing,
    source_moves
);

const ROUNDS: u32 = 20;

/// Four stations, and a flow from 0 to 1 whose verdict is in the cache.
fn lan(sandbox: &Sandbox, kind: Kind) -> (Lan<'_>, Frame) {
    let lan = Lan::new(sandbox, kind, 4);
    lan.introduce();
    let flow = Frame::new(lan.mac(0), station(0x701));
    lan.expect(1, &Frame::broadcast(station(0x701)), &[0, 2, 3]);
    warm(&lan, &flow, 1);
    (lan, flow)
}

fn warm(lan: &Lan, flow: &Frame, to: usize) {
    for sequence in 0..3 {
        lan.expect(0, &flow.clone().sequence(sequence), &[to]);
    }
}

fn move_of_the_destination(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    for round in 0..ROUNDS {
        let at = if round % 2 == 0 { 2 } else { 1 };
        // The move is taught by a frame of any kind; here one that goes back to the flow's sender.
        lan.expect(at, &Frame::new(station(0x701), lan.mac(0)), &[0]);
        warm(&lan, &flow, at);
    }
}

/// The flow's sender appears behind another port: the old port's verdict must not hide the move back.
fn source_moves(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    for _ in 0..ROUNDS {
        lan.expect(2, &flow, &[1]);
        lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[2]);
        lan.expect(0, &flow, &[1]);
        lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[0]);
    }
}

fn deleted_address(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    for _ in 0..ROUNDS {
        lan.forget(station(0x701), 1);
        lan.expect(0, &flow, &[1, 2, 3]);
        lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[0]);
        warm(&lan, &flow, 1);
    }
}

fn flush(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    for _ in 0..ROUNDS {
        lan.flush();
        lan.expect(0, &flow, &[1, 2, 3]);
        lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[0]);
        warm(&lan, &flow, 1);
    }
}

/// The user puts the address on another port.
fn added_address(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    let mac = station(0x701).to_string();
    for round in 0..ROUNDS {
        let at = if round % 2 == 0 { 2 } else { 1 };
        lan.forget(station(0x701), if at == 2 { 1 } else { 2 });
        if kind == Kind::Vswitch {
            lan.cli().ok(&["fdb", "replace", &lan.name, &mac, lan.port(at)]);
        } else {
            bridge(&["fdb", "add", &mac, "dev", lan.port(at), "master", "static"]);
        }
        warm(&lan, &flow, at);
    }
}

fn deleted_port(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    lan.remove_port(1);
    lan.expect(0, &flow, &[2, 3]);
    assert!(lan.learned().iter().all(|(mac, _)| *mac != station(0x701).to_string()), "{}", lan.dump());
    lan.expect(2, &Frame::new(station(0x701), lan.mac(0)), &[0]);
    warm(&lan, &flow, 2);
}

/// A new port takes the slot of an old one, and none of what was known about it.
fn added_port(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (mut lan, flow) = lan(&sandbox, kind);
    lan.remove_port(1);
    let new = lan.add(&[]);
    lan.expect(0, &flow, &[2, 3, new]);
    lan.expect(new, &Frame::broadcast(lan.mac(new)), &[0, 2, 3]);
    lan.expect(0, &flow, &[2, 3, new]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(new)), &[new]);
}

fn ageing(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let (lan, flow) = lan(&sandbox, kind);
    lan.set_ageing(2);
    let last = Instant::now();
    lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[0]);
    // The flow itself goes on, which keeps its sender known but not its destination.
    while last.elapsed() < Duration::from_millis(1400) {
        warm(&lan, &flow, 1);
        thread::sleep(Duration::from_millis(50));
    }
    thread::sleep(Duration::from_millis(2500).saturating_sub(last.elapsed()));
    lan.expect(0, &flow, &[1, 2, 3]);
}

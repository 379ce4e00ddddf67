//! A frame that is for nobody known, or for everybody, reaches all ports but the ingress, exactly once each.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, MULTICAST, station},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(one_port, two_ports, three_ports, fifteen_ports, sixty_three_ports, until_a_reply);

fn one_port(kind: Kind) {
    all_but_the_ingress(kind, 1);
}

fn two_ports(kind: Kind) {
    all_but_the_ingress(kind, 2);
}

fn three_ports(kind: Kind) {
    all_but_the_ingress(kind, 3);
}

fn fifteen_ports(kind: Kind) {
    all_but_the_ingress(kind, 15);
}

fn sixty_three_ports(kind: Kind) {
    all_but_the_ingress(kind, 63);
}

fn all_but_the_ingress(kind: Kind, ports: usize) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, ports);
    // The first, the last and one in the middle: a loop's edges.
    for from in [0, ports / 2, ports - 1] {
        for (sequence, to) in [station(0x7ff), MULTICAST, MacAddr::BROADCAST].into_iter().enumerate() {
            let frame = Frame::new(lan.mac(from), to).sequence(u32::try_from(sequence).unwrap());
            lan.expect(from, &frame, &lan.others(from));
        }
    }
    if kind == Kind::Vswitch {
        let counters = lan.counters().unwrap();
        let flooded: u64 = counters.values().map(|port| port.flooded).sum();
        let copies: u64 = counters.values().map(|port| port.tx_frames).sum();
        if ports == 1 {
            assert_eq!(counters[lan.port(0)].dropped("no-port"), 9);
        } else {
            assert_eq!((flooded, copies), (9, 9 * (ports as u64 - 1)), "{}", lan.dump());
        }
    }
}

/// After one reply, only the right port.
fn until_a_reply(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 4);
    let question = Frame::new(lan.mac(0), lan.mac(2));
    lan.expect(0, &question, &[1, 2, 3]);
    lan.expect(0, &question, &[1, 2, 3]);
    lan.expect(2, &Frame::new(lan.mac(2), lan.mac(0)), &[0]);
    lan.expect(0, &question, &[2]);
    lan.expect(3, &Frame::new(lan.mac(3), lan.mac(2)), &[2]);
}

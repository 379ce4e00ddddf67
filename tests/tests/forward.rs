//! A frame to a known address reaches that station and no other.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_tests::{
    frame::{ETHERTYPE, Frame, station},
    on_both,
    port::Port,
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

on_both!(known_unicast, addresses_behind_a_station, same_port, the_port_device_is_the_host, smallest_frame);

fn known_unicast(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    // More than once, so that the verdict of the cache is used as well.
    for sequence in 0..5 {
        for from in 0..3 {
            for to in lan.others(from) {
                lan.expect(from, &Frame::new(lan.mac(from), lan.mac(to)).sequence(sequence), &[to]);
            }
        }
    }
}

/// The station's interface has one address, but more may be behind it, as behind a guest's own bridge.
fn addresses_behind_a_station(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    let behind = [station(0x701), station(0x702)];
    for (port, mac) in behind.iter().enumerate() {
        lan.expect(port, &Frame::broadcast(*mac), &lan.others(port));
    }
    for sequence in 0..3 {
        lan.expect(0, &Frame::new(behind[0], behind[1]).sequence(sequence), &[1]);
        lan.expect(1, &Frame::new(behind[1], behind[0]).sequence(sequence), &[0]);
        lan.expect(2, &Frame::new(lan.mac(2), behind[1]).sequence(sequence), &[1]);
    }
}

/// A frame to an address behind the port by which it came is not sent back.
fn same_port(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1, 2]);
    for sequence in 0..3 {
        lan.expect(0, &Frame::new(lan.mac(0), station(0x701)).sequence(sequence), &[]);
    }
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("same-port"), 3, "{}", lan.dump());
    }
}

/// A frame to the address of any port's device is for the host.
fn the_port_device_is_the_host(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    // The bridge hands it to the host as a frame that came in by the bridge, the switch by the port.
    let device = if kind == Kind::Bridge { lan.name.clone() } else { lan.port(0).to_owned() };
    let stack = Port::open_stack(&device, ETHERTYPE).unwrap();
    for (sequence, to) in [0, 1, 2].into_iter().enumerate() {
        stack.drain().unwrap();
        let frame = Frame::new(lan.mac(0), lan.port_mac(to)).sequence(u32::try_from(sequence).unwrap());
        lan.expect(0, &frame, &[]);
        let deadline = std::time::Instant::now() + wait::DEADLINE / 5;
        let received = stack.receive(deadline).unwrap();
        assert_eq!(received, Some(frame.build()), "to the device of {}\n{}", lan.port(to), lan.dump());
    }
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].local, 3);
    }
}

/// Nothing but a header is a frame.
fn smallest_frame(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    for payload in [0, 1, 2, 45, 46] {
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).payload(payload), &[1]);
        lan.expect(0, &Frame::broadcast(lan.mac(0)).payload(payload), &[1, 2]);
    }
}

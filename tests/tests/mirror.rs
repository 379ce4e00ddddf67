//! Mirror sessions: exactly the copies that were asked for, from the very next frame on, and nothing else changes.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::slice;

use bytes::Bytes;
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    device,
    frame::{CTAG, Frame, MULTICAST, STAG, station},
    port::{Offload, Port},
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

/// The station that gets the copies.
const PROBE: usize = 3;

/// Three stations, and a probe whose port takes no part otherwise.
fn lan<'a>(sandbox: &'a Sandbox, probe: &[&str]) -> Lan<'a> {
    let mut lan = Lan::new(sandbox, Kind::Vswitch, 3);
    lan.add(probe);
    lan.introduce();
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1, 2, PROBE]);
    set(&lan, PROBE, "state=blocking");
    lan
}

fn set(lan: &Lan, station: usize, word: &str) {
    lan.cli().ok(&["port", "set", "lab", lan.port(station), word]);
}

/// A session that copies what these stations' ports carry.
fn mirror(lan: &Lan, name: &str, stations: &[usize], more: &[&str]) {
    let ports: Vec<&str> = stations.iter().map(|station| lan.port(*station)).collect();
    let ports = ports.join(",");
    let mut words = vec!["mirror", "add", "lab", name, "--to", lan.port(PROBE)];
    if !stations.is_empty() {
        words.extend(["--port", &ports]);
    }
    words.extend(more);
    lan.cli().ok(&words);
}

fn end(lan: &Lan, name: &str) {
    lan.cli().ok(&["mirror", "del", "lab", name]);
}

/// Sends a frame and gives what arrives at the probe, once there are as many copies.
fn copies(lan: &Lan, from: usize, frame: &Frame, count: usize) -> Vec<Bytes> {
    lan.stations[from].wire.send(&frame.build()).unwrap();
    lan.collect(|got| got[PROBE].len() >= count).swap_remove(PROBE)
}

fn mirrored(lan: &Lan) -> u64 {
    lan.counters().unwrap()[lan.port(PROBE)].mirrored
}

#[test]
fn without_a_session_there_are_no_copies() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    for sequence in 0..3 {
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(sequence), &[1]);
    }
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2]);
    assert_eq!(mirrored(&lan), 0);
}

/// Each frame that the port receives, whatever becomes of it, by a cached verdict and without, from the next frame on.
#[test]
fn what_a_port_receives() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    let flow = Frame::new(lan.mac(0), lan.mac(1));
    lan.expect(0, &flow, &[1]);
    lan.expect(0, &flow, &[1]);
    mirror(&lan, "m", &[0], &["--direction", "in"]);
    for sequence in 0..4 {
        lan.expect(0, &flow.clone().sequence(sequence), &[1, PROBE]);
        lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).sequence(sequence), &[0]);
    }
    lan.expect(0, &flow.clone().tagged(CTAG, 0xe005), &[1, PROBE]);
    lan.expect(0, &flow.clone().tagged(STAG, 7).tagged(CTAG, 8), &[1, PROBE]);
    // One copy of a flood, not one of each of its copies.
    for to in [MacAddr::BROADCAST, MULTICAST, station(0x7ff)] {
        lan.expect(0, &Frame::new(lan.mac(0), to), &[1, 2, PROBE]);
    }
    // Dropped: behind the same port, pause, group source. For the host: LLDP.
    let link_local = |last| MacAddr::new([0x01, 0x80, 0xc2, 0, 0, last]);
    for (from, to) in [
        (lan.mac(0), station(0x701)),
        (lan.mac(0), link_local(1)),
        (MULTICAST, lan.mac(1)),
        (lan.mac(0), link_local(0xe)),
    ] {
        lan.expect(0, &Frame::new(from, to), &[PROBE]);
    }
    set(&lan, 0, "state=blocking");
    lan.expect(0, &flow, &[PROBE]);
    set(&lan, 0, "state=forwarding");
    let counters = lan.counters().unwrap();
    assert_eq!(counters[lan.port(PROBE)].mirrored, 4 + 2 + 3 + 4 + 1);
    assert_eq!(counters[lan.port(PROBE)].tx_frames, 4, "copies are no frames of the switch");
    lan.expect(0, &flow, &[1, PROBE]);
    end(&lan, "m");
    lan.expect(0, &flow, &[1]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2]);
}

#[test]
fn what_a_port_sends() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    let flow = Frame::new(lan.mac(0), lan.mac(1));
    lan.expect(0, &flow, &[1]);
    mirror(&lan, "m", &[1], &["--direction", "out"]);
    for sequence in 0..4 {
        lan.expect(0, &flow.clone().sequence(sequence), &[1, PROBE]);
        lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).sequence(sequence), &[0]);
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)).sequence(sequence), &[2]);
    }
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, PROBE]);
    // What does not leave is not copied.
    set(&lan, 1, "police-out=1pps:1p");
    lan.expect(0, &flow, &[1, PROBE]);
    lan.expect(0, &flow, &[]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[2]);
    end(&lan, "m");
    set(&lan, 1, "police-out=off");
    lan.expect(0, &flow, &[1]);
}

/// Several ports, several sessions: a copy for each that is asked for.
#[test]
fn both_ways_and_several_at_once() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    mirror(&lan, "all", &[0, 1, 2], &[]);
    let flow = Frame::new(lan.mac(0), lan.mac(1));
    for sequence in 0..3 {
        assert_eq!(copies(&lan, 0, &flow.clone().sequence(sequence), 2).len(), 2);
    }
    // One as it came, two as they left.
    assert_eq!(copies(&lan, 0, &Frame::broadcast(lan.mac(0)), 3).len(), 3);
    mirror(&lan, "again", &[0], &["--direction", "in"]);
    assert_eq!(copies(&lan, 0, &flow, 3).len(), 3);
    end(&lan, "all");
    assert_eq!(copies(&lan, 0, &flow, 1).len(), 1);
    let sessions = lan.cli().json(&["mirror", "list", "lab"]);
    assert_eq!(
        sessions,
        serde_json::json!([{
            "name": "again", "to": lan.port(PROBE), "ports": [lan.port(0)], "vlan": null, "direction": "in",
            "snap": null, "sample": 1
        }])
    );
    let shown = lan.cli().ok(&["port", "show", "lab", lan.port(0)]).stdout;
    assert!(shown.contains(&format!("`again` copies in to {}", lan.port(PROBE))), "{shown}");
    assert!(lan.cli().ok(&["switch", "show", "lab"]).stdout.contains("mirrors         again"));
}

/// The probe's own frames go their usual way only.
#[test]
fn no_copy_of_what_the_probe_says_or_gets() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    set(&lan, PROBE, "state=forwarding");
    lan.expect(PROBE, &Frame::broadcast(lan.mac(PROBE)), &[0, 1, 2]);
    mirror(&lan, "m", &[0, 1, 2], &["--direction", "out"]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(PROBE)), &[PROBE]);
    for sequence in 0..3 {
        lan.expect(PROBE, &Frame::new(lan.mac(PROBE), lan.mac(0)).sequence(sequence), &[0]);
    }
    lan.expect(PROBE, &Frame::broadcast(lan.mac(PROBE)), &[0, 1, 2]);
    assert_eq!(mirrored(&lan), 0);
}

#[test]
fn the_probe_has_its_own_limits() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &["--mtu", "1000"]);
    let flow = Frame::new(lan.mac(0), lan.mac(1));
    mirror(&lan, "m", &[0], &["--direction", "in"]);
    for (payload, to) in [(1000, &[1, PROBE][..]), (1005, &[1]), (1004, &[1, PROBE]), (1400, &[1])] {
        lan.expect(0, &flow.clone().payload(payload), to);
    }
    let tx_drops = |reason: &str| lan.counters().unwrap()[lan.port(PROBE)].tx_drops.get(reason).copied();
    assert_eq!(tx_drops("too-big"), Some(2));
    set(&lan, PROBE, "police-out=1pps:2p");
    lan.expect(0, &flow, &[1, PROBE]);
    lan.expect(0, &flow, &[1, PROBE]);
    lan.expect(0, &flow, &[1]);
    assert_eq!(tx_drops("policed"), Some(1));
    set(&lan, PROBE, "police-out=off");
    set(&lan, PROBE, "state=disabled");
    lan.expect(0, &flow, &[1]);
    assert_eq!(tx_drops("egress-not-forwarding"), Some(1));
    set(&lan, PROBE, "state=blocking");
    lan.expect(0, &flow, &[1, PROBE]);
    // A short copy fits whatever the frame.
    mirror(&lan, "short", &[0], &["--direction", "in", "--snap", "100"]);
    end(&lan, "m");
    let frame = flow.payload(1400);
    assert_eq!(copies(&lan, 0, &frame, 1), [frame.build().slice(..100)]);
}

/// The frame itself arrives whole, the copy is exactly so long, tags included.
#[test]
fn short_copies() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    mirror(&lan, "m", &[0], &["--direction", "in", "--snap", "64"]);
    mirror(&lan, "n", &[1], &["--direction", "out", "--snap", "100"]);
    let flow = Frame::new(lan.mac(0), lan.mac(1));
    let broadcast = Frame::broadcast(lan.mac(0));
    for base in [flow, broadcast] {
        for payload in [46, 50, 51, 86, 87, 1000, 1500] {
            for tags in [&[][..], &[(CTAG, 5)], &[(STAG, 5), (CTAG, 0xe006)]] {
                if payload == 1500 && tags.len() == 2 {
                    continue;
                }
                let frame = tags.iter().fold(base.clone().payload(payload), |frame, (protocol, control)| {
                    frame.tagged(*protocol, *control)
                });
                // The second time by the verdict in the cache.
                for sequence in 0..2 {
                    let frame = frame.clone().sequence(sequence).build();
                    lan.stations[0].wire.send(&frame).unwrap();
                    let got = lan.collect(|got| got[PROBE].len() >= 2 && !got[1].is_empty());
                    let cut = |length: usize| frame.slice(..frame.len().min(length));
                    assert_eq!(got[PROBE], [cut(64), cut(100)], "{frame:02x?}");
                    assert_eq!(got[1], slice::from_ref(&frame));
                }
            }
        }
    }
    lan.counters();
    end(&lan, "m");
    end(&lan, "n");
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
}

/// An aggregate whose checksum is yet to be computed is copied whole, and cut.
#[test]
fn aggregates() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    let sender = Port::open_offload(&lan.stations[0].namespace, "eth0").unwrap();
    let payload = 14_480;
    let mut ip = vec![0x45, 0];
    ip.extend(u16::try_from(40 + payload).unwrap().to_be_bytes());
    ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let tcp = [0x10, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    let header = Frame::new(lan.mac(0), lan.mac(1)).ethertype(0x0800).payload(0).build();
    let frame = Bytes::from([&header[..], &ip, &tcp, &vec![7; payload]].concat());
    let offload = Offload {
        flags: 1,
        gso_type: 1,
        header_length: 54,
        gso_size: 1448,
        checksum_start: 34,
        checksum_offset: 16,
    };
    for (name, more, length) in [
        ("whole", &[][..], frame.len()),
        ("long", &["--snap", "2000"], 2000),
        ("short", &["--snap", "64"], 64),
    ] {
        mirror(&lan, name, &[0], &[&["--direction", "in"], more].concat());
        // A frame of 2000 bytes is longer than the probe's MTU, an aggregate is not.
        let arrives = name != "long";
        for _ in 0..3 {
            sender.send_offload(offload, &frame).unwrap();
            let got = lan.collect(|got| got[PROBE].len() >= usize::from(arrives) && !got[1].is_empty());
            assert_eq!(got[1], slice::from_ref(&frame));
            if arrives {
                // The kernel completes the checksum where a copy is no aggregate any more.
                assert_eq!(got[PROBE].len(), 1, "{name}: {}", lan.dump());
                assert_eq!(got[PROBE][0].len(), length, "{name}");
                assert_eq!(got[PROBE][0][..50], frame[..50], "{name}");
            } else {
                assert!(got[PROBE].is_empty(), "{name}");
            }
        }
        end(&lan, name);
    }
    assert_eq!(lan.counters().unwrap()[lan.port(PROBE)].tx_drops["too-big"], 3);
}

#[test]
fn one_frame_of_several() {
    const FRAMES: u32 = 800;
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    mirror(&lan, "m", &[0], &["--direction", "in", "--sample", "4"]);
    for sequence in 0..FRAMES {
        let frame = Frame::new(lan.mac(0), lan.mac(1)).sequence(sequence);
        lan.stations[0].wire.send(&frame.build()).unwrap();
    }
    let got = lan.collect(|got| got[1].len() >= FRAMES as usize);
    assert_eq!(got[1].len(), FRAMES as usize);
    // 200 are expected with a standard deviation of 12; eight of those are never seen.
    assert!((100..300).contains(&got[PROBE].len()), "{} of {FRAMES}", got[PROBE].len());
    assert_eq!(mirrored(&lan), got[PROBE].len() as u64);
}

/// A VLAN, whatever the port: each frame as it comes, or as it leaves, with the tag that it has there.
#[test]
fn a_vlan() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    set(&lan, 0, "trunk=10,20");
    set(&lan, 1, "access=10");
    set(&lan, 2, "trunk=10,20");
    let tagged = |vlan| Frame::broadcast(lan.mac(0)).tagged(CTAG, vlan).build();
    let plain = Frame::broadcast(lan.mac(0)).build();
    let send = |vlan, expected: &[Bytes]| {
        lan.stations[0].wire.send(&tagged(vlan)).unwrap();
        let mut got =
            lan.collect(|got| got[PROBE].len() >= expected.len() && !got[2].is_empty()).swap_remove(PROBE);
        got.sort();
        let mut expected = expected.to_vec();
        expected.sort();
        assert_eq!(got, expected, "VLAN {vlan}\n{}", lan.dump());
    };
    mirror(&lan, "m", &[], &["--vlan", "10"]);
    send(10, &[tagged(10)]);
    send(20, &[]);
    end(&lan, "m");
    mirror(&lan, "m", &[], &["--vlan", "10", "--direction", "out"]);
    send(10, &[tagged(10), plain.clone()]);
    send(20, &[]);
    end(&lan, "m");
    // At one port, both ways, with and without a verdict in the cache.
    mirror(&lan, "m", &[1], &["--vlan", "10"]);
    send(10, slice::from_ref(&plain));
    lan.stations[1].wire.send(&Frame::broadcast(lan.mac(1)).build()).unwrap();
    assert_eq!(lan.collect(|got| !got[PROBE].is_empty())[PROBE].len(), 1);
    for sequence in 0..3 {
        let frame = Frame::new(lan.mac(0), lan.mac(1)).sequence(sequence);
        assert_eq!(copies(&lan, 0, &frame.clone().tagged(CTAG, 10), 1), [frame.build()]);
    }
    end(&lan, "m");
    // A frame that is refused is in no VLAN: a port's session has it, a VLAN's has not.
    mirror(&lan, "m", &[0], &["--direction", "in"]);
    mirror(&lan, "v", &[], &["--vlan", "30"]);
    assert_eq!(copies(&lan, 0, &Frame::broadcast(lan.mac(0)).tagged(CTAG, 30), 1), [tagged(30)]);
}

#[test]
fn a_session_goes_with_its_port() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = lan(&sandbox, &[]);
    mirror(&lan, "m", &[0, 1], &[]);
    mirror(&lan, "other", &[2], &[]);
    lan.remove_port(1);
    let ports = |lan: &Lan| lan.cli().rows(&["mirror", "list", "lab"])[0]["ports"].clone();
    assert_eq!(ports(&lan), serde_json::json!([lan.port(0)]));
    // The next port in the slot is in no session.
    let next = lan.add(&[]);
    lan.expect(next, &Frame::new(lan.mac(next), lan.mac(0)), &[0, PROBE]);
    assert_eq!(ports(&lan), serde_json::json!([lan.port(0)]));
    // What leaves by ports 0 and 2 is still copied.
    assert_eq!(copies(&lan, next, &Frame::broadcast(lan.mac(next)), 2).len(), 2);
}

#[test]
fn sessions_end_with_the_probe() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = lan(&sandbox, &[]);
    mirror(&lan, "m", &[0, 1], &[]);
    let said = lan.cli().ok(&["port", "del", "lab", lan.port(PROBE)]).stderr;
    assert!(said.contains("`m` has ended") && said.lines().count() == 1, "{said}");
    assert!(lan.cli().rows(&["mirror", "list", "lab"]).is_empty());
    for sequence in 0..2 {
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(sequence), &[1]);
    }
    // The next port in the slot gets nothing.
    let next = lan.add(&[]);
    lan.expect(next, &Frame::broadcast(lan.mac(next)), &[0, 1, 2]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    // A session that lives on when the whole switch goes says nothing.
    lan.cli().ok(&["mirror", "add", "lab", "m", "--to", lan.port(next), "--port", lan.port(0)]);
    assert_eq!(lan.cli().ok(&["switch", "del", "lab"]).stderr, "");
}

#[test]
fn eight_sessions_with_a_name_each() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    for number in 0..8 {
        mirror(&lan, &format!("m{number}"), &[0], &["--direction", "in"]);
    }
    assert_eq!(copies(&lan, 0, &Frame::new(lan.mac(0), lan.mac(1)), 8).len(), 8);
    let add = |name: &str| {
        lan.cli().run(&["mirror", "add", "lab", name, "--to", lan.port(PROBE), "--port", lan.port(0)])
    };
    assert!(add("m3").refused().stderr.contains("already has a mirror session `m3`; end it first"));
    assert!(add("m8").refused().stderr.contains("8 mirror sessions already; end one"));
    end(&lan, "m3");
    add("m8").ok();
    let refused = lan.cli().run(&["mirror", "del", "lab", "m3"]).refused().stderr;
    assert!(refused.contains("no mirror session `m3`; it has `m0`"), "{refused}");
}

/// A flood to so many ports that it takes a second round: its meters and its ingress copy count it once.
#[test]
fn rounds_of_a_flood() {
    const PORTS: usize = 262;
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &[]);
    sandbox.netns("many").unwrap().run(device::no_ipv6).unwrap();
    let more: Vec<String> = (lan.stations.len()..PORTS).map(|number| format!("p{number}")).collect();
    for name in &more {
        // Any of them may be the first of the second round.
        let add = ["port", "add", "lab", name, "--netns", "many", "--ifname", name, "police-out=1pps:1p"];
        lan.cli().ok(&add);
    }
    mirror(&lan, "m", &[0], &["--direction", "in"]);
    lan.stations[0].wire.send(&Frame::broadcast(lan.mac(0)).build()).unwrap();
    let sent = || -> u64 {
        let counters = lan.counters().unwrap();
        more.iter().map(|name| counters[name].tx_frames + counters[name].tx_drops.values().sum::<u64>()).sum()
    };
    wait::until("each port has its copy", || sent() >= more.len() as u64);
    let counters = lan.counters().unwrap();
    assert_eq!(counters[lan.port(PROBE)].mirrored, 1);
    for name in &more {
        assert_eq!((counters[name].tx_frames, counters[name].tx_drops.len()), (1, 0), "{name}");
    }
}

//! No frame crosses VLANs or switches: {non-IP, IPv4, IPv6} × {unicast, multicast, broadcast} × {no tag, priority tag,
//! 14 VLANs} × {two switches, two interfaces that are no ports, two PVIDs}. In each case a witness in the right place must
//! get what the others must not.
#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{CTAG, station},
    iproute::ip,
    port::Port,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

const VIDS: [u16; 14] = [1, 2, 10, 20, 63, 64, 100, 1000, 2047, 2048, 3000, 4000, 4093, 4094];

/// Tags as they are put before a frame: none, priority only, and each VLAN.
fn tags() -> Vec<Option<u16>> {
    [None, Some(0xe000)].into_iter().chain(VIDS.map(Some)).collect()
}

/// All kinds of frames from one station, to another one, with all tags.
fn frames(source: MacAddr, to: MacAddr) -> Vec<(Option<u16>, Bytes)> {
    let v4: &[u8] = &[0x45, 0, 0, 28, 0, 1, 0, 0, 64, 17, 0x66, 0xce, 10, 0, 0, 1, 10, 0, 0, 2];
    let mut v6 = vec![0x60, 0, 0, 0, 0, 8, 17, 64];
    v6.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    v6.extend([0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2]);
    let kinds: [(u16, &[u8], [u8; 6]); 3] = [
        (0x88b5, &[1, 2, 3, 4], [3, 0, 0, 0, 0, 0x77]),
        (0x0800, v4, [1, 0, 0x5e, 1, 2, 3]),
        (0x86dd, &v6, [0x33, 0x33, 0, 0, 0x12, 0x34]),
    ];
    let mut frames = Vec::new();
    for tag in tags() {
        for (ethertype, header, group) in kinds {
            for destination in [to, MacAddr::new(group), MacAddr::BROADCAST] {
                let mut bytes = [destination.octets(), source.octets()].concat();
                if let Some(control) = tag {
                    bytes.extend(CTAG.to_be_bytes());
                    bytes.extend(control.to_be_bytes());
                }
                bytes.extend(ethertype.to_be_bytes());
                bytes.extend(header);
                bytes.resize(64, 0);
                frames.push((tag, bytes.into()));
            }
        }
    }
    frames
}

fn send_all(lan: &Lan, from: usize, frames: &[(Option<u16>, Bytes)]) {
    for (_, frame) in frames {
        lan.stations[from].wire.send(frame).unwrap();
    }
}

fn two_switches(words: &[&str], passes: impl Fn(Option<u16>) -> bool) {
    let sandbox = Sandbox::enter().unwrap();
    let mut one = Lan::empty(&sandbox, Kind::Vswitch, "one", 'a');
    let mut other = Lan::empty(&sandbox, Kind::Vswitch, "other", 'b');
    for lan in [&mut one, &mut other] {
        if !words.is_empty() {
            lan.cli().ok(&[&["switch", "set", &lan.name], words].concat());
        }
        lan.add(&[]);
        lan.add(&[]);
    }
    // To the other switch's station, and to one of its own: neither may be seen over there.
    for to in [station(0x702), one.mac(1)] {
        let sent = frames(one.mac(0), to);
        send_all(&one, 0, &sent);
        let expected = sent.iter().filter(|(tag, _)| passes(*tag)).count();
        let got = one.collect(|got| got[1].len() >= expected);
        assert_eq!(got[1].len(), expected, "the witness\n{}", one.dump());
        assert!(got[0].is_empty(), "back to the sender");
        assert!(other.collect(|_| true).iter().all(Vec::is_empty), "over to the other switch");
    }
    one.counters();
    other.counters();
}

#[test]
fn switches_that_look_at_no_tags() {
    two_switches(&[], |_| true);
}

#[test]
fn switches_that_filter() {
    // Access ports of VLAN 1.
    two_switches(&["vlan-filtering=on"], |tag| {
        matches!(tag.map(|control| control & 0xfff), None | Some(0 | 1))
    });
}

/// What is no port gets nothing from a switch, and gives it nothing.
#[test]
fn interfaces_that_are_no_ports() {
    for words in [&[][..], &["vlan-filtering=on"]] {
        let sandbox = Sandbox::enter().unwrap();
        let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
        if !words.is_empty() {
            lan.cli().ok(&[&["switch", "set", "lab"], words].concat());
        }
        let mut outside = Vec::new();
        for name in ["x1", "x2"] {
            let namespace = sandbox.netns(name).unwrap();
            ip(&["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]);
            ip(&["link", "set", name, "up"]);
            ip(&["-n", name, "link", "set", "eth0", "up"]);
            let wire = Port::open(&namespace, "eth0").unwrap();
            outside.push((namespace, wire));
        }
        let sent = frames(lan.mac(0), station(0x7ff));
        send_all(&lan, 0, &sent);
        let witness = lan.collect(|got| got[1].len() >= 27);
        assert!(witness[1].len() >= 27, "{} at the witness", witness[1].len());
        let own = station(0x703);
        for (_, frame) in frames(own, lan.mac(0)) {
            outside[0].1.send(&frame).unwrap();
        }
        assert!(lan.collect(|_| true).iter().all(Vec::is_empty), "from an interface that is no port");
        for (_, wire) in &outside {
            while let Some(frame) = wire.try_receive().unwrap() {
                let source = MacAddr::new(frame[6..12].try_into().unwrap());
                assert!(
                    source != lan.mac(0) && source != own,
                    "{frame:02x?} at an interface that is no port"
                );
            }
        }
        lan.counters();
    }
}

/// Two access ports of different VLANs, and their trunk, which sees each frame with its VLAN's tag.
#[test]
fn two_pvids() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = Lan::empty(&sandbox, Kind::Vswitch, "lab", 'a');
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    for words in ["access=10", "access=20", "trunk=10,20", "access=10", "access=20"] {
        lan.add(&[words]);
    }
    for (from, own, witness, others) in [(0, 10, 3, [1, 4]), (1, 20, 4, [0, 3])] {
        for to in [lan.mac(others[0]), lan.mac(others[1]), station(0x7ff)] {
            let sent = frames(lan.mac(from), to);
            send_all(&lan, from, &sent);
            let passes = |tag: Option<u16>| {
                matches!(tag.map(|control| control & 0xfff), None | Some(0)) || tag == Some(own)
            };
            let expected = sent.iter().filter(|(tag, _)| passes(*tag)).count();
            let got = lan.collect(|got| got[witness].len() >= expected && got[2].len() >= expected);
            assert_eq!(
                (got[witness].len(), got[2].len()),
                (expected, expected),
                "the witnesses\n{}",
                lan.dump()
            );
            for frame in &got[2] {
                let control = u16::from_be_bytes([frame[14], frame[15]]);
                assert_eq!((u16::from_be_bytes([frame[12], frame[13]]), control & 0xfff), (CTAG, own));
            }
            assert!(others.iter().all(|other| got[*other].is_empty()), "from VLAN {own} to the other one");
        }
    }
    lan.counters();
}

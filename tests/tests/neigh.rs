//! Questions for addresses (ARP, IPv6 neighbour discovery): answered, and spared to whom, as by the Linux bridge.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
};

use bytes::Bytes;
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    ask::{self, Discovery, REPLY, REQUEST, arp, arp_answer, arp_question, option},
    frame::{Frame, MULTICAST, station},
    iproute::ip,
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(
    arp_suppress,
    arp_announcements,
    arp_from_a_suppressed_port,
    proxy_arp,
    proxy_arp_wifi,
    nd_suppress,
    nd_announcements
);

/// The address of a station, whether it is told to the switch or not.
const fn v4(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, last)
}

const fn v6(last: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, last)
}

/// Of a station whose MAC address is not in the FDB.
const SILENT: u8 = 99;

/// Four stations, all known; the switch knows who has the addresses 2 and 4, of the stations 1 and 3, and 99.
fn lan(sandbox: &Sandbox, kind: Kind) -> Lan<'_> {
    let lan = Lan::new(sandbox, kind, 4);
    if kind == Kind::Bridge {
        // The neighbours are those of the bridge's own interface, which must not say anything itself.
        ip(&["link", "set", "lab", "addrgenmode", "none"]);
        fs::write("/proc/sys/net/ipv6/conf/lab/disable_ipv6", "0").unwrap();
    }
    for (number, mac) in [(2, lan.mac(1)), (4, lan.mac(3)), (SILENT, station(0x799))] {
        tell(&lan, v4(number).into(), mac);
        tell(&lan, v6(number.into()).into(), mac);
    }
    lan.introduce();
    lan
}

fn tell(lan: &Lan, address: IpAddr, mac: MacAddr) {
    let (address, mac) = (address.to_string(), mac.to_string());
    match lan.kind {
        Kind::Vswitch => drop(lan.cli().ok(&["neigh", "add", "lab", &address, &mac])),
        Kind::Bridge => {
            drop(ip(&["neigh", "add", &address, "lladdr", &mac, "dev", "lab", "nud", "permanent"]));
        }
    }
}

/// Sets a flag of a station's port; not all of them are known to bridge(8).
fn set(lan: &Lan, station: usize, flag: &str, on: bool) {
    if lan.kind == Kind::Vswitch {
        lan.set_flag(station, flag, on);
    } else {
        let word = if on { "on" } else { "off" };
        let flag = flag.replace('-', "_");
        ip(&["link", "set", "dev", lan.port(station), "type", "bridge_slave", &flag, word]);
    }
}

/// Sends a question. It must come to exactly these stations, and the answer, if there is to be one, to who asks.
#[track_caller]
fn expect(lan: &Lan, from: usize, question: &Bytes, to: &[usize], answer: Option<&Bytes>) {
    let before = lan.counters();
    lan.stations[from].wire.send(question).unwrap();
    let expected: Vec<Vec<Bytes>> = (0..lan.stations.len())
        .map(|station| match answer {
            Some(answer) if station == from => vec![answer.clone()],
            _ if to.contains(&station) => vec![question.clone()],
            _ => Vec::new(),
        })
        .collect();
    let is_whole = |got: &[Vec<Bytes>]| got.iter().zip(&expected).all(|(got, all)| got.len() >= all.len());
    let got = lan.collect(is_whole);
    assert!(got == expected, "{question:02x?} gave {got:02x?}\ninstead of {expected:02x?}\n{}", lan.dump());
    if let (Some(before), Some(after)) = (before, lan.counters()) {
        let port = lan.port(from);
        let (was, is) = (&before[port], &after[port]);
        assert_eq!(is.rx_frames, was.rx_frames + 1, "{is:?}");
        assert_eq!(is.answered, was.answered + u64::from(answer.is_some()), "{is:?}");
        assert_eq!(is.tx_frames, was.tx_frames + u64::from(answer.is_some()), "{is:?}");
        for station in to {
            let port = lan.port(*station);
            assert_eq!(after[port].tx_frames, before[port].tx_frames + 1, "{port}: {after:?}");
        }
    }
}

/// A station asks by ARP for the address with that number.
#[track_caller]
fn asks(lan: &Lan, from: usize, target: u8, to: &[usize], answer: Option<MacAddr>) {
    let asker = (lan.mac(from), v4(100));
    let answer = answer.map(|mac| arp_answer((mac, v4(target)), asker));
    expect(lan, from, &arp_question(asker, v4(target)), to, answer.as_ref());
}

/// A station asks by neighbour discovery.
#[track_caller]
fn solicits(lan: &Lan, from: usize, target: u16, to: &[usize], answer: Option<MacAddr>) {
    let (mac, source) = (lan.mac(from), v6(100));
    let question = Discovery::question(mac, source, v6(target)).multicast(mac);
    let answer = answer.map(|answer| Discovery::answer(answer, v6(target), source).unicast(answer, mac));
    expect(lan, from, &question, to, answer.as_ref());
}

fn arp_suppress(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    for target in [2, 4, 7, SILENT] {
        asks(&lan, 0, target, &[1, 2, 3], None);
    }
    set(&lan, 3, "neigh-suppress", true);
    for _ in 0..2 {
        // Behind the port: answered, and spared to it.
        asks(&lan, 0, 4, &[1, 2], Some(lan.mac(3)));
        // Behind another one: spared to the port, answered by who has it.
        asks(&lan, 0, 2, &[1, 2], None);
        // Not known, or known as somebody who is not: somebody there might have it.
        asks(&lan, 0, 7, &[1, 2, 3], None);
        asks(&lan, 0, SILENT, &[1, 2, 3], None);
    }
    // The asker is who the message says, not who sent the frame.
    let asker = (station(0x7aa), v4(100));
    let question =
        ask::frame(MacAddr::BROADCAST, lan.mac(0), ask::ARP, &arp(REQUEST, asker, (MacAddr::ZERO, v4(4))));
    expect(&lan, 0, &question, &[1, 2], Some(&arp_answer((lan.mac(3), v4(4)), asker)));
    // Padding of the question is not in the answer.
    let asker = (lan.mac(0), v4(100));
    let padded = Bytes::from([&arp_question(asker, v4(4))[..], &[0xee; 18]].concat());
    expect(&lan, 0, &padded, &[1, 2], Some(&arp_answer((lan.mac(3), v4(4)), asker)));
    // Anything else goes there.
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(3)), &[3]);
    // Isolated or not, who asks is answered, and the copies are as for any other broadcast.
    set(&lan, 0, "isolated", true);
    set(&lan, 1, "isolated", true);
    set(&lan, 3, "isolated", true);
    asks(&lan, 0, 4, &[2], Some(lan.mac(3)));
    set(&lan, 0, "isolated", false);
    lan.forget(lan.mac(3), 3);
    asks(&lan, 0, 4, &[1, 2, 3], None);
    lan.expect(3, &Frame::new(lan.mac(3), lan.mac(0)), &[0]);
    asks(&lan, 0, 4, &[1, 2], Some(lan.mac(3)));
    // Off means off.
    set(&lan, 3, "neigh-suppress", false);
    asks(&lan, 0, 4, &[1, 2, 3], None);
    asks(&lan, 0, 2, &[1, 2, 3], None);
}

fn arp_announcements(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let send = |operation, from: Ipv4Addr, target: Ipv4Addr, to: &[usize]| {
        let message = arp(operation, (lan.mac(0), from), (MacAddr::ZERO, target));
        expect(&lan, 0, &ask::frame(MacAddr::BROADCAST, lan.mac(0), ask::ARP, &message), to, None);
    };
    for (suppress, to) in [(true, &[1, 2][..]), (false, &[1, 2, 3])] {
        set(&lan, 3, "neigh-suppress", suppress);
        send(REQUEST, v4(100), v4(100), to);
        send(REPLY, v4(100), v4(100), to);
        send(REQUEST, Ipv4Addr::UNSPECIFIED, v4(4), to);
        // Neither a question nor an announcement.
        send(REPLY, v4(100), v4(4), &[1, 2, 3]);
        send(REQUEST, v4(100), Ipv4Addr::new(224, 0, 0, 4), &[1, 2, 3]);
        send(REQUEST, v4(100), Ipv4Addr::LOCALHOST, &[1, 2, 3]);
    }
}

/// Who is spared questions answers them: what comes from there is not looked at.
fn arp_from_a_suppressed_port(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    set(&lan, 3, "neigh-suppress", true);
    set(&lan, 0, "neigh-suppress", true);
    asks(&lan, 3, 2, &[0, 1, 2], None);
    asks(&lan, 3, 4, &[0, 1, 2], None);
    solicits(&lan, 3, 2, &[0, 1, 2], None);
    asks(&lan, 1, 4, &[2], Some(lan.mac(3)));
}

fn proxy_arp(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    set(&lan, 0, "proxy-arp", true);
    for _ in 0..2 {
        asks(&lan, 0, 2, &[1, 2, 3], Some(lan.mac(1)));
        asks(&lan, 0, 4, &[1, 2, 3], Some(lan.mac(3)));
        asks(&lan, 0, 7, &[1, 2, 3], None);
        asks(&lan, 0, SILENT, &[1, 2, 3], None);
        // Only who asks on this port.
        asks(&lan, 1, 4, &[2, 3], None);
        // Only ARP.
        solicits(&lan, 0, 2, &[1, 2, 3], None);
    }
    // Nothing is flooded to the port, but what is for its station reaches it.
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[2, 3]);
    lan.expect(1, &Frame::new(lan.mac(1), MULTICAST), &[2, 3]);
    lan.expect(1, &Frame::new(lan.mac(1), station(0x7ff)), &[2, 3]);
    lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)), &[0]);
    set(&lan, 0, "proxy-arp", false);
    asks(&lan, 0, 2, &[1, 2, 3], None);
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[0, 2, 3]);
}

fn proxy_arp_wifi(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    set(&lan, 3, "proxy-arp-wifi", true);
    asks(&lan, 0, 4, &[1, 2], Some(lan.mac(3)));
    asks(&lan, 0, 2, &[1, 2, 3], None);
    asks(&lan, 0, 7, &[1, 2, 3], None);
    solicits(&lan, 0, 4, &[1, 2, 3], None);
    let announcement = arp(REQUEST, (lan.mac(0), v4(100)), (MacAddr::ZERO, v4(100)));
    let announcement = ask::frame(MacAddr::BROADCAST, lan.mac(0), ask::ARP, &announcement);
    expect(&lan, 0, &announcement, &[1, 2, 3], None);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
    // With a suppressed port beside it, it is spared what that is spared.
    set(&lan, 2, "neigh-suppress", true);
    asks(&lan, 0, 2, &[1], None);
    expect(&lan, 0, &announcement, &[1], None);
    set(&lan, 2, "neigh-suppress", false);
    set(&lan, 3, "proxy-arp-wifi", false);
    asks(&lan, 0, 4, &[1, 2, 3], None);
}

fn nd_suppress(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    for target in [2, 4, 7, SILENT.into()] {
        solicits(&lan, 0, target, &[1, 2, 3], None);
    }
    set(&lan, 3, "neigh-suppress", true);
    for _ in 0..2 {
        solicits(&lan, 0, 4, &[1, 2], Some(lan.mac(3)));
        solicits(&lan, 0, 2, &[1, 2], None);
        solicits(&lan, 0, 7, &[1, 2, 3], None);
        solicits(&lan, 0, SILENT.into(), &[1, 2, 3], None);
    }
    let (mac, source) = (lan.mac(0), v6(100));
    let answer_to = |asker| Discovery::answer(lan.mac(3), v6(4), source).unicast(lan.mac(3), asker);
    let question = Discovery::question(mac, source, v6(4));
    // Without an option the answer goes to the source of the frame; with one, to the address in it.
    let bare = Discovery { options: Vec::new(), ..question.clone() };
    expect(&lan, 0, &bare.multicast(mac), &[1, 2], Some(&answer_to(mac)));
    let other = Discovery { options: option(1, station(0x7aa)), ..question.clone() };
    expect(&lan, 0, &other.multicast(mac), &[1, 2], Some(&answer_to(station(0x7aa))));
    let nonce = Discovery {
        options: [&[14, 1, 1, 2, 3, 4, 5, 6][..], &option(1, station(0x7ab))].concat(),
        ..question.clone()
    };
    expect(&lan, 0, &nonce.multicast(mac), &[1, 2], Some(&answer_to(station(0x7ab))));
    // An option without a length is no option.
    let endless = Discovery { options: vec![14, 0, 1, 2, 3, 4, 5, 6], ..question };
    let spared = if kind == Kind::Bridge { &[1, 2][..] } else { &[1, 2, 3] };
    expect(&lan, 0, &endless.multicast(mac), spared, None);
    set(&lan, 3, "neigh-suppress", false);
    solicits(&lan, 0, 4, &[1, 2, 3], None);
}

fn nd_announcements(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let mac = lan.mac(0);
    let question = Discovery::question(mac, v6(100), v6(4));
    let detection = Discovery { source: Ipv6Addr::UNSPECIFIED, options: Vec::new(), ..question.clone() };
    let to_itself = Discovery { destination: v6(100), ..question };
    let mut unsolicited = Discovery::answer(mac, v6(100), Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1));
    unsolicited.flags = 0x20;
    let mut solicited = unsolicited.clone();
    solicited.flags = 0x60;
    for (suppress, to) in [(true, &[1, 2][..]), (false, &[1, 2, 3])] {
        set(&lan, 3, "neigh-suppress", suppress);
        for message in [&detection, &to_itself, &unsolicited] {
            expect(&lan, 0, &message.multicast(mac), to, None);
        }
        expect(&lan, 0, &solicited.multicast(mac), &[1, 2, 3], None);
    }
}

/// What is no proper message is no question: it is flooded as any other frame.
#[test]
fn malformed_questions_are_not_answered() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    set(&lan, 3, "neigh-suppress", true);
    set(&lan, 0, "proxy-arp", true);
    let good = arp_question((lan.mac(0), v4(100)), v4(4));
    for (what, at, byte) in [
        ("hardware", 15, 6),
        ("protocol", 16, 0x86),
        ("length of a MAC address", 18, 8),
        ("length of an IP address", 19, 16),
        ("operation", 21, 9),
        ("the asker is a group", 22, 3),
    ] {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        println!("ARP: {what}");
        expect(&lan, 0, &Bytes::from(bytes), &[1, 2, 3], None);
    }
    for length in 14..good.len() {
        expect(&lan, 0, &good.slice(..length), &[1, 2, 3], None);
    }
    let (mac, source) = (lan.mac(0), v6(100));
    let question = Discovery::question(mac, source, v6(4));
    let whole = question.multicast(mac);
    for (what, at, byte) in [
        ("version", 14, 0x45),
        ("next header", 20, 17),
        ("hop limit", 21, 254),
        ("payload longer than the frame", 19, 40),
        ("payload without a target", 19, 16),
        ("payload in the middle of an option", 19, 28),
        ("checksum", 57, whole[57] ^ 1),
        ("type", 54, 133),
    ] {
        let mut bytes = whole.to_vec();
        bytes[at] = byte;
        println!("ND: {what}");
        expect(&lan, 0, &Bytes::from(bytes), &[1, 2, 3], None);
    }
    for length in (14..whole.len()).step_by(5) {
        expect(&lan, 0, &whole.slice(..length), &[1, 2, 3], None);
    }
    for wrong in [
        Discovery { code: 1, ..question.clone() },
        Discovery { hop_limit: 64, ..question.clone() },
        Discovery { options: option(1, MULTICAST), ..question.clone() },
        Discovery { options: vec![1, 2, 2, 0, 0, 0, 0, 1], ..question.clone() },
        Discovery { options: vec![14; 48], ..question.clone() },
    ] {
        expect(&lan, 0, &wrong.multicast(mac), &[1, 2, 3], None);
    }
    let answer = Discovery::answer(lan.mac(3), v6(4), source).unicast(lan.mac(3), mac);
    expect(&lan, 0, &whole, &[1, 2], Some(&answer));
}

/// Who asks one station, known or not, wants to know whether it is there (Linux 6.15 and later).
#[test]
fn a_question_to_one_station_is_left_to_it() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    set(&lan, 3, "neigh-suppress", true);
    let asker = (lan.mac(0), v4(100));
    let solicitation = Discovery::question(lan.mac(0), v6(100), v6(4));
    for (to, reached) in [(lan.mac(3), &[3][..]), (station(0x7ff), &[1, 2, 3])] {
        let question = ask::frame(to, lan.mac(0), ask::ARP, &arp(REQUEST, asker, (to, v4(4))));
        for _ in 0..3 {
            expect(&lan, 0, &question, reached, None);
            expect(&lan, 0, &solicitation.unicast(lan.mac(0), to), reached, None);
        }
    }
}

/// Per VLAN: the answer, the station, and the tag.
#[test]
fn vlans() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 4);
    let set_port = |station, words: &[&str]| {
        lan.cli().ok(&[&["port", "set", "lab", lan.port(station)], words].concat());
    };
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    // Two trunks, and an access port in each VLAN.
    set_port(0, &["trunk=20", "native=10"]);
    set_port(1, &["access=10"]);
    set_port(2, &["access=20"]);
    set_port(3, &["trunk=10,20", "neigh-suppress=on"]);
    let mac = lan.mac(3).to_string();
    lan.cli().ok(&["neigh", "add", "lab", "10.0.0.4", &mac, "--vlan", "10"]);
    lan.cli().ok(&["neigh", "add", "lab", "10.0.0.5", &mac]);
    let hello = Frame::broadcast(lan.mac(3));
    lan.stations[3].wire.send(&hello.clone().tagged(0x8100, 10).build()).unwrap();
    lan.collect(|got| !got[0].is_empty() && !got[1].is_empty());
    let asker = (lan.mac(0), v4(100));
    let send = |target: u8, control: Option<u16>, reached: &[usize], answered: Option<Option<u16>>| {
        let dress = |frame: Bytes, control: Option<u16>| match control {
            Some(control) => ask::tagged(&frame, control),
            None => frame,
        };
        lan.stations[0].wire.send(&dress(arp_question(asker, v4(target)), control)).unwrap();
        let got = lan.collect(|got| reached.iter().all(|station| !got[*station].is_empty()));
        let answer = arp_answer((lan.mac(3), v4(target)), asker);
        let answers: Vec<Bytes> = answered.into_iter().map(|tag| dress(answer.clone(), tag)).collect();
        assert_eq!(got[0], answers, "10.0.0.{target} in {control:?}");
        let others: Vec<usize> = (1..4).filter(|station| !got[*station].is_empty()).collect();
        assert_eq!(others, reached, "10.0.0.{target} in {control:?}");
        lan.counters();
    };
    // VLAN 10, in which the station is known; its untagged frames are of it at this port, and so are its answers.
    send(4, None, &[1], Some(None));
    send(4, Some(10), &[1], Some(None));
    send(4, Some(0xe000), &[1], Some(None));
    send(5, None, &[1], Some(None));
    // VLAN 20: another answer, or another station.
    send(4, Some(20), &[2, 3], None);
    send(5, Some(20), &[2, 3], None);
    lan.stations[3].wire.send(&hello.tagged(0x8100, 20).build()).unwrap();
    lan.collect(|got| !got[0].is_empty() && !got[2].is_empty());
    send(4, Some(20), &[2, 3], None);
    send(5, Some(20), &[2], Some(Some(20)));
    send(5, Some(0x6014), &[2], Some(Some(0x6014)));
    // Behind a second tag nothing is looked at.
    let double = ask::tagged(&ask::tagged(&arp_question(asker, v4(5)), 7), 20);
    lan.stations[0].wire.send(&double).unwrap();
    let got = lan.collect(|got| !got[3].is_empty());
    assert!(got[0].is_empty() && got[3] == [double], "{got:02x?}");
    // On a switch that does not look at tags they are payload.
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=off"]);
    lan.stations[3].wire.send(&Frame::broadcast(lan.mac(3)).build()).unwrap();
    lan.collect(|got| got[..3].iter().all(|frames| !frames.is_empty()));
    let question = ask::tagged(&arp_question(asker, v4(5)), 20);
    expect(&lan, 0, &question, &[1, 2, 3], None);
    asks(&lan, 0, 5, &[1, 2], Some(lan.mac(3)));
    asks(&lan, 0, 4, &[1, 2, 3], None);
}

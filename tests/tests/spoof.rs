//! `spoof-check`: a port speaks only for the addresses that are bound to it.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::net::IpAddr;

use bytes::Bytes;
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{CTAG, Frame, station},
    packet::{ICMPV6, Packet},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

fn v4(last: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, last])
}

fn v6(last: u16) -> IpAddr {
    IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, last])
}

/// Three stations; the first has 10.0.0.1 and `fd00::1` and is checked.
fn lan<'a>(sandbox: &'a Sandbox, words: &[&str]) -> Lan<'a> {
    let mut lan = Lan::empty(sandbox, Kind::Vswitch, "lab", 'a');
    lan.add(words);
    lan.add(&[]);
    lan.add(&[]);
    lan
}

fn arp(source: MacAddr, destination: MacAddr, sender: (MacAddr, u8), target: u8) -> Bytes {
    let ip = |last| [10, 0, 0, last];
    let sender_ip = if sender.1 == 0 { [0; 4] } else { ip(sender.1) };
    let parts: [&[u8]; 8] = [
        &destination.octets(),
        &source.octets(),
        &[8, 6, 0, 1, 8, 0, 6, 4, 0, 1],
        &sender.0.octets(),
        &sender_ip,
        &[0; 6],
        &ip(target),
        &[0; 18],
    ];
    parts.concat().into()
}

/// A neighbour message of that type, with these options.
fn neighbour(
    macs: [MacAddr; 2],
    source: IpAddr,
    kind: u8,
    target: IpAddr,
    options: &[(u8, MacAddr)],
) -> Bytes {
    let IpAddr::V6(target) = target else { panic!("IPv6") };
    let mut payload = vec![kind, 0, 0, 0, 0, 0, 0, 0];
    payload.extend(target.octets());
    for (option, mac) in options {
        payload.extend([*option, 1]);
        payload.extend(mac.octets());
    }
    let packet = Packet::new(macs, [source, v6(2)]);
    Packet { protocol: ICMPV6, payload, ..packet }.build()
}

#[track_caller]
fn passes(lan: &Lan<'_>, bytes: &Bytes, what: &str) {
    lan.stations[0].wire.send(bytes).unwrap();
    lan.expect_arrival(bytes, &[1], what);
    lan.counters();
}

#[track_caller]
fn refused(lan: &Lan<'_>, bytes: &Bytes, what: &str) {
    let before = lan.counters().unwrap()["a1"].dropped("spoofed");
    lan.stations[0].wire.send(bytes).unwrap();
    lan.expect_arrival(bytes, &[], what);
    assert_eq!(lan.counters().unwrap()["a1"].dropped("spoofed"), before + 1, "{what}");
}

#[test]
fn sources_must_be_bound() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &["spoof-check=02:00:00:00:00:01,10.0.0.1,fd00::1"]);
    // Only the destination is known, so that frames go to one station.
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[0, 2]);
    let own = lan.mac(0);
    let macs = [own, lan.mac(1)];
    let other = station(0x99);
    let from = |source: IpAddr, destination: IpAddr| Packet::new(macs, [source, destination]);
    let linklocal = |last: u16| IpAddr::from([0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, last]);
    let dhcp = |ports: (u16, u16)| from(IpAddr::from([0, 0, 0, 0]), v4(2)).ports(ports.0, ports.1).build();
    for round in 0..2 {
        for (what, bytes) in [
            ("IPv4", from(v4(1), v4(2)).build()),
            ("IPv6", from(v6(1), v6(2)).build()),
            ("tagged", Packet { tags: vec![(CTAG, 5)], ..from(v4(1), v4(2)) }.build()),
            ("no IP", Frame::new(own, lan.mac(1)).build()),
            ("ARP", arp(own, lan.mac(1), (own, 1), 2)),
            ("ARP probe", arp(own, lan.mac(1), (own, 0), 1)),
            ("DHCP discover", dhcp((68, 67))),
            ("link-local", from(linklocal(1), v6(2)).build()),
            ("duplicate address detection", neighbour(macs, "::".parse().unwrap(), 135, v6(1), &[])),
            ("solicitation", neighbour(macs, v6(1), 135, v6(2), &[(1, own)])),
            ("advertisement", neighbour(macs, v6(1), 136, v6(1), &[(2, own)])),
        ] {
            passes(&lan, &bytes, &format!("{what}, round {round}"));
        }
        for (what, bytes) in [
            ("source MAC", Frame::new(other, lan.mac(1)).build()),
            ("IPv4", from(v4(3), v4(2)).build()),
            ("IPv6", from(v6(3), v6(2)).build()),
            ("tagged", Packet { tags: vec![(CTAG, 5)], ..from(v4(3), v4(2)) }.build()),
            ("fragment", from(v4(3), v4(2)).fragment(9, false).build()),
            ("ARP sender's IP", arp(own, lan.mac(1), (own, 3), 2)),
            ("ARP sender's MAC", arp(own, lan.mac(1), (other, 1), 2)),
            ("ARP cut short", arp(own, lan.mac(1), (own, 1), 2).slice(..40)),
            ("DHCP offer", dhcp((67, 68))),
            ("another's link-local", from(linklocal(2), v6(2)).build()),
            ("unspecified", from("::".parse().unwrap(), v6(2)).build()),
            ("solicitation with another's MAC", neighbour(macs, v6(1), 135, v6(2), &[(1, other)])),
            (
                "advertisement with another's MAC",
                neighbour(macs, v6(1), 136, v6(1), &[(14, own), (2, other)]),
            ),
            ("advertisement of another's address", neighbour(macs, v6(1), 136, v6(3), &[(2, own)])),
            ("tags beyond sight", Packet { tags: vec![(CTAG, 1); 4], ..from(v4(1), v4(2)) }.build()),
        ] {
            refused(&lan, &bytes, &format!("{what}, round {round}"));
        }
    }
    assert!(lan.learned().iter().all(|(mac, _)| *mac != other.to_string()), "{}", lan.dump());
    // Others are not checked.
    let foreign = Packet::new([station(0x98), own], [v4(77), v4(1)]).build();
    lan.stations[2].wire.send(&foreign).unwrap();
    lan.expect_arrival(&foreign, &[0], "another port");
}

/// Off means off, at the very next frame; the addresses stay bound, and others can be bound instead.
#[test]
fn on_off_and_other_addresses() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &["--ip", "10.0.0.1/24"]);
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[0, 2]);
    let packet = |source: MacAddr, last| Packet::new([source, lan.mac(1)], [v4(last), v4(2)]).build();
    let (own, other) = (lan.mac(0), station(0x99));
    let set = |word: &str| drop(lan.cli().ok(&["port", "set", "lab", "a1", word]));
    for _ in 0..3 {
        passes(&lan, &packet(own, 3), "off");
        set("spoof-check=on");
        refused(&lan, &packet(own, 3), "on");
        passes(&lan, &packet(own, 1), "on");
        set("spoof-check=off");
    }
    set(&format!("spoof-check={other},10.0.0.3"));
    refused(&lan, &packet(own, 1), "no longer bound");
    refused(&lan, &packet(other, 1), "no longer bound");
    passes(&lan, &packet(other, 3), "bound");
    set(&format!("spoof-check={own}"));
    passes(&lan, &packet(own, 1), "any address of IP");
    passes(&lan, &packet(own, 200), "any address of IP");
    refused(&lan, &packet(other, 1), "another MAC");
    refused(&lan, &arp(own, lan.mac(1), (other, 1), 2), "an ARP sender that is another");
    let shown = &lan.cli().json(&["port", "show", "lab", "a1"])[0];
    assert_eq!(
        (&shown["options"]["spoof-check"], &shown["bound"]),
        (&true.into(), &serde_json::json!([own.to_string()]))
    );
}

/// A tap has no known address: the user must say it. A port that is removed leaves no binding to the next in its slot.
#[test]
fn ports_without_a_known_address() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, &["--ip", "10.0.0.1/24", "spoof-check=on"]);
    let cli = lan.cli();
    let refused = cli.run(&["port", "add", "lab", "t0", "--tap", "spoof-check=on"]).refused();
    assert!(refused.stderr.contains("no address is bound to port `t0`"), "{refused:?}");
    assert!(cli.rows(&["port", "list", "lab"]).iter().all(|row| row["port"] != "t0"));
    cli.ok(&["port", "del", "lab", "a1"]);
    cli.ok(&["port", "add", "lab", "t0", "--tap"]);
    assert_eq!(cli.json(&["port", "show", "lab", "t0"])[0]["bound"], serde_json::json!([]));
    cli.run(&["port", "set", "lab", "t0", "spoof-check=on"]).refused();
    cli.ok(&["port", "set", "lab", "t0", "spoof-check=02:00:00:00:00:05,10.0.0.5,fd00::5"]);
    let bound = serde_json::json!(["02:00:00:00:00:05", "10.0.0.5", "fd00::5"]);
    assert_eq!(cli.json(&["port", "show", "lab", "t0"])[0]["bound"], bound);
    for wrong in ["spoof-check=yes", "spoof-check=10.0.0.5", "spoof-check=ff:ff:ff:ff:ff:ff"] {
        cli.run(&["port", "set", "lab", "t0", wrong]).refused();
    }
    assert_eq!(cli.json(&["port", "show", "lab", "t0"])[0]["bound"], bound);
}

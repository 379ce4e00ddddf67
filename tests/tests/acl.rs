//! Rules: what each of them matches, in which order, where, and from which frame on.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::Write as _,
    net::IpAddr,
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use bytes::Bytes;
use vswitch_tests::{
    frame::{CTAG, Frame, STAG, station},
    packet::{ACK, Packet, SYN},
    port::Port,
    sandbox::Sandbox,
    topology::{Kind, Lan},
    vswitch::Output,
};

fn v4(source: u8, destination: u8) -> [IpAddr; 2] {
    [source, destination].map(|last| IpAddr::from([10, 0, 0, last]))
}

fn v6(source: u16, destination: u16) -> [IpAddr; 2] {
    [source, destination].map(|last| IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, last]))
}

/// Three stations that know each other.
fn lan(sandbox: &Sandbox) -> Lan<'_> {
    let lan = Lan::new(sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan
}

fn macs(lan: &Lan<'_>) -> [vswitch_common::addr::MacAddr; 2] {
    [lan.mac(0), lan.mac(1)]
}

/// Sends bytes from a station, and expects them at exactly these.
#[track_caller]
fn expect(lan: &Lan<'_>, from: usize, bytes: &Bytes, to: &[usize], what: &str) {
    lan.stations[from].wire.send(bytes).unwrap();
    lan.expect_arrival(bytes, to, what);
    lan.counters();
}

fn load(lan: &Lan<'_>, rules: &str) -> Output {
    let mut command = lan.cli().command(&["acl", "load", "lab", "-f", "-"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Output {
        command: format!("vswitch acl load lab -f - <<< {rules:?}"),
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

fn add(lan: &Lan<'_>, rule: &str) {
    let words: Vec<&str> = rule.split(' ').collect();
    lan.cli().ok(&[&["acl", "add", "lab"][..], &words].concat());
}

/// Frames and bytes of each rule.
fn counted(lan: &Lan<'_>) -> Vec<(u64, u64)> {
    let rows = lan.cli().rows(&["acl", "list", "lab"]);
    rows.iter().map(|row| (row["frames"].as_u64().unwrap(), row["bytes"].as_u64().unwrap())).collect()
}

/// Each match alone: the frames that it is about are denied, from the cached flow and from the first frame on, and those
/// that differ in just that pass.
#[test]
#[expect(clippy::too_many_lines, reason = "a table of cases")]
fn each_match_matches_what_it_says() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let udp = Packet::new(macs(&lan), v4(1, 2));
    let tcp = |flags| udp.clone().tcp(flags);
    let udp6 = Packet::new(macs(&lan), v6(1, 2));
    let tagged = |tags: &[(u16, u16)]| Packet { tags: tags.to_vec(), ..udp.clone() };
    let extended = |extensions: &[u8]| Packet { extensions: extensions.to_vec(), ..udp6.clone() };
    let other = Frame::new(lan.mac(0), lan.mac(1)).ethertype(0x88cc).build();
    let cases: Vec<(String, Vec<Bytes>, Vec<Bytes>)> = [
        (format!("src-mac {}", lan.mac(0)), vec![udp.build(), other.clone()], vec![]),
        (format!("src-mac {}", lan.mac(2)), vec![], vec![udp.build()]),
        ("src-mac 02:00:00:00:00:00/ff:ff:ff:ff:ff:00".to_owned(), vec![udp.build()], vec![]),
        ("src-mac 02:00:00:00:01:00/ff:ff:ff:ff:ff:00".to_owned(), vec![], vec![udp.build()]),
        (format!("dst-mac {}", lan.mac(1)), vec![udp.build()], vec![]),
        (format!("dst-mac {}", lan.mac(0)), vec![], vec![udp.build()]),
        (
            "vlan 5".to_owned(),
            vec![
                tagged(&[(CTAG, 5)]).build(),
                tagged(&[(CTAG, 0xe005)]).build(),
                tagged(&[(STAG, 5), (CTAG, 6)]).build(),
            ],
            vec![udp.build(), tagged(&[(CTAG, 6)]).build(), tagged(&[(STAG, 6), (CTAG, 5)]).build()],
        ),
        (
            "vlan 0".to_owned(),
            vec![udp.build(), tagged(&[(CTAG, 0xe000)]).build()],
            vec![tagged(&[(CTAG, 5)]).build()],
        ),
        ("ethertype 0x88cc".to_owned(), vec![other.clone()], vec![udp.build()]),
        (
            "ethertype ipv4".to_owned(),
            vec![udp.build(), tagged(&[(CTAG, 5)]).build(), tagged(&[(STAG, 5), (CTAG, 6)]).build()],
            vec![udp6.build(), other.clone()],
        ),
        ("ethertype ipv6".to_owned(), vec![udp6.build()], vec![udp.build()]),
        (
            "src 10.0.0.0/31".to_owned(),
            vec![udp.build()],
            vec![Packet { addresses: v4(2, 2), ..udp.clone() }.build(), udp6.build()],
        ),
        (
            "dst 10.0.0.2".to_owned(),
            vec![udp.build()],
            vec![Packet { addresses: v4(1, 3), ..udp.clone() }.build()],
        ),
        ("dst 0.0.0.0/0".to_owned(), vec![udp.build()], vec![udp6.build(), other.clone()]),
        (
            "src 2001:db8::/127".to_owned(),
            vec![udp6.build()],
            vec![Packet { addresses: v6(2, 2), ..udp6.clone() }.build(), udp.build()],
        ),
        (
            "dst 2001:db8::2".to_owned(),
            vec![udp6.build()],
            vec![Packet { addresses: v6(1, 3), ..udp6.clone() }.build()],
        ),
        ("dst ::/0".to_owned(), vec![udp6.build()], vec![udp.build(), other.clone()]),
        (
            "proto tcp".to_owned(),
            vec![tcp(SYN).build(), tcp(0).fragment(9, false).build()],
            vec![udp.build(), udp6.build(), other.clone()],
        ),
        (
            "proto udp".to_owned(),
            vec![udp.build(), udp6.build(), tagged(&[(CTAG, 5)]).build()],
            vec![tcp(0).build()],
        ),
        (
            "proto 0".to_owned(),
            vec![Packet { protocol: 0, ..udp.clone() }.build()],
            vec![udp.build(), other.clone()],
        ),
        // Behind extension headers: hop-by-hop, destination options, routing.
        (
            "proto udp dport 2000".to_owned(),
            vec![extended(&[0, 60, 43]).build(), extended(&[60; 8]).build()],
            vec![extended(&[0, 60, 43]).ports(1, 2).build()],
        ),
        (
            "sport 1000".to_owned(),
            vec![udp.build(), tcp(0).build()],
            vec![udp.clone().ports(1001, 2000).build(), other.clone()],
        ),
        (
            "dport 1999-2001".to_owned(),
            vec![udp.clone().ports(1, 1999).build(), udp.build(), udp.clone().ports(1, 2001).build()],
            vec![
                udp.clone().ports(1, 1998).build(),
                udp.clone().ports(1, 2002).build(),
                udp.clone().fragment(9, false).build(),
            ],
        ),
        (
            "flags syn/syn,ack".to_owned(),
            vec![tcp(SYN).build(), tcp(SYN | 0x40).build()],
            vec![tcp(SYN | ACK).build(), tcp(ACK).build(), udp.build()],
        ),
        ("flags none/syn,ack".to_owned(), vec![tcp(0).build()], vec![tcp(SYN).build(), udp.build()]),
        (
            "frag any".to_owned(),
            vec![
                udp.clone().fragment(0, true).build(),
                udp.clone().fragment(9, false).build(),
                udp6.clone().fragment(9, true).build(),
            ],
            vec![udp.build(), udp6.build()],
        ),
        (
            "frag first".to_owned(),
            vec![udp.clone().fragment(0, true).build(), udp6.clone().fragment(0, true).build()],
            vec![udp.build(), udp.clone().fragment(9, true).build()],
        ),
        (
            "frag later".to_owned(),
            vec![udp.clone().fragment(9, false).build(), udp6.clone().fragment(9, false).build()],
            vec![udp.build(), udp.clone().fragment(0, true).build()],
        ),
        ("frag no".to_owned(), vec![udp.build()], vec![udp.clone().fragment(0, true).build(), other.clone()]),
        (
            "proto tcp dst 10.0.0.0/8 dport 22-23 flags syn/syn,ack".to_owned(),
            vec![tcp(SYN).ports(1, 22).build()],
            vec![
                tcp(SYN).ports(1, 24).build(),
                tcp(ACK).ports(1, 22).build(),
                udp.clone().ports(1, 22).build(),
            ],
        ),
    ]
    .into();
    for (rule, matching, differing) in cases {
        for bytes in matching.iter().chain(&differing) {
            expect(&lan, 0, bytes, &[1], &format!("before `{rule}`"));
        }
        load(&lan, &format!("deny {rule}")).ok();
        for round in 0..2 {
            for bytes in &matching {
                expect(&lan, 0, bytes, &[], &format!("`deny {rule}`, round {round}"));
            }
            for bytes in &differing {
                expect(&lan, 0, bytes, &[1], &format!("`deny {rule}`, round {round}"));
            }
        }
        assert_eq!(counted(&lan)[0].0, 2 * matching.len() as u64, "{rule}");
        lan.cli().ok(&["acl", "flush", "lab"]);
        for bytes in &matching {
            expect(&lan, 0, bytes, &[1], &format!("after `{rule}`"));
        }
    }
}

/// Rules could be evaded by frames that hide what they are; such frames do not pass where there are rules.
#[test]
fn what_hides_itself_does_not_pass_rules() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let udp = Packet::new(macs(&lan), v4(1, 2));
    let udp6 = Packet::new(macs(&lan), v6(1, 2));
    let hidden = [
        Packet { tags: vec![(CTAG, 1); 4], ..udp.clone() }.build(),
        Packet { extensions: vec![60; 9], ..udp6 }.build(),
        udp.clone().tcp(ACK).fragment(1, false).build(),
        udp.clone().tcp(ACK).fragment(0, true).build().slice(..14 + 20 + 8),
    ];
    for bytes in &hidden {
        expect(&lan, 0, bytes, &[1], "no rules");
    }
    add(&lan, "deny proto tcp dport 22");
    for bytes in &hidden {
        expect(&lan, 0, bytes, &[], "a rule");
    }
    expect(&lan, 0, &udp.build(), &[1], "nothing hidden");
}

#[test]
fn the_first_rule_that_matches_decides() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let frame = Packet::new(macs(&lan), v4(1, 2)).build();
    load(&lan, "# comment\n\nallow src 10.0.0.1 # one host\ndeny src 10.0.0.0/24\nallow any").ok();
    expect(&lan, 0, &frame, &[1], "allowed before it is denied");
    lan.cli().ok(&["acl", "add", "lab", "--at", "1", "deny", "proto", "udp"]);
    expect(&lan, 0, &frame, &[], "denied before it is allowed");
    lan.cli().ok(&["acl", "del", "lab", "1"]);
    expect(&lan, 0, &frame, &[1], "as before");
    lan.cli().ok(&["acl", "del", "lab", "1"]);
    expect(&lan, 0, &frame, &[], "the second is the first now");
    let rules: Vec<_> =
        lan.cli().rows(&["acl", "list", "lab"]).iter().map(|row| row["rule"].clone()).collect();
    assert_eq!(rules, ["deny src 10.0.0.0/24", "allow any"]);
}

/// A rule that counts does not decide; every rule counts exactly the frames that get to it, cached or not.
#[test]
fn counters_are_exact() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let frame = |port| Packet::new(macs(&lan), v4(1, 2)).ports(1, port).build();
    load(&lan, "count proto udp\ncount dport 80-90\ndeny dport 85\ncount src 10.0.0.0/8\nallow any").ok();
    for _ in 0..5 {
        expect(&lan, 0, &frame(80), &[1], "counted and allowed");
        expect(&lan, 0, &frame(85), &[], "counted and denied");
        expect(&lan, 0, &frame(70), &[1], "counted and allowed");
    }
    let length = frame(80).len() as u64;
    let expected = [15, 10, 5, 10, 10].map(|frames: u64| (frames, frames * length));
    assert_eq!(counted(&lan), expected);
    // What stays keeps its counters, what is new begins at zero.
    lan.cli().ok(&["acl", "add", "lab", "--at", "2", "deny", "vlan", "9"]);
    lan.cli().ok(&["acl", "del", "lab", "4"]);
    assert_eq!(counted(&lan), [expected[0], (0, 0), expected[1], expected[3], expected[4]]);
}

#[test]
fn rules_of_one_port_and_of_all_in_and_out() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let frame = |from: usize, to: usize| Frame::new(lan.mac(from), lan.mac(to));
    add(&lan, "port a1 deny any");
    lan.expect(0, &frame(0, 1), &[]);
    lan.expect(1, &frame(1, 0), &[0]);
    lan.expect(1, &frame(1, 2), &[2]);
    lan.cli().ok(&["acl", "flush", "lab"]);
    lan.cli().ok(&["acl", "add", "lab", "--port", "a1", "--direction", "out", "deny", "any"]);
    lan.expect(0, &frame(0, 1), &[1]);
    lan.expect(1, &frame(1, 0), &[]);
    lan.expect(1, &frame(1, 2), &[2]);
    let before = lan.counters().unwrap();
    // A copy of a flood that may not leave there, which is no drop of the frame.
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[2]);
    let after = lan.counters().unwrap();
    assert_eq!(after["a2"].flooded, before["a2"].flooded + 1);
    let copies =
        |snapshot: &vswitch_tests::state::Snapshot| snapshot["a1"].tx_drops.get("acl").copied().unwrap_or(0);
    assert_eq!(copies(&after), copies(&before) + 1);
    assert_eq!(after["a2"].dropped("acl"), 1, "the unicast frame before");
    lan.cli().ok(&["acl", "flush", "lab"]);
    lan.cli().ok(&["acl", "add", "lab", "--direction", "out", "deny", "any"]);
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[]);
    lan.expect(1, &frame(1, 2), &[]);
    lan.cli().ok(&["acl", "flush", "lab"]);
    lan.expect(1, &frame(1, 2), &[2]);
}

/// A new port has the rules of all ports; a removed one takes its own along; nothing is learned from what is denied.
#[test]
fn ports_come_and_go() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = lan(&sandbox);
    add(&lan, "deny ethertype 0x88cc");
    add(&lan, "port a2 deny any");
    let new = lan.add(&[]);
    lan.expect(new, &Frame::broadcast(station(0x700)).ethertype(0x88cc), &[]);
    assert!(lan.learned().iter().all(|(mac, _)| *mac != station(0x700).to_string()), "{}", lan.dump());
    lan.expect(new, &Frame::new(lan.mac(new), lan.mac(0)), &[0]);
    lan.remove_port(1);
    let again = lan.add(&[]);
    lan.expect(again, &Frame::new(lan.mac(again), lan.mac(0)), &[0]);
    let rules: Vec<_> =
        lan.cli().rows(&["acl", "list", "lab"]).iter().map(|row| row["rule"].clone()).collect();
    assert_eq!(rules, ["deny ethertype 0x88cc"]);
}

/// Whatever is wrong with a list: one line that says where, and the old list stays.
#[test]
fn a_refused_list_changes_nothing() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    add(&lan, "deny ethertype 0x88cc");
    let masks = (0..256)
        .map(|byte| format!("deny src-mac 00:00:00:00:00:00/00:00:00:00:00:{byte:02x}\n"))
        .collect::<Vec<_>>()
        .concat();
    for (list, words) in [
        ("allow any\n\ndeny src 10.0.0.0/40", "line 3: value `10.0.0.0/40`"),
        ("deny any\nport nosuch deny any", "line 2: switch `lab` has no port `nosuch`"),
        ("permit any", "line 1: `permit`"),
        (masks.as_str(), "256 different sets of bits"),
        (&"deny any\n".repeat(4097), "4097 rules are too many"),
        ("count any\ncount any", "rule 2 counts"),
    ] {
        let output = load(&lan, list).refused();
        assert!(output.stderr.contains(words), "{output:?}");
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).ethertype(0x88cc), &[]);
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    }
    for wrong in [
        "acl del lab 2",
        "acl del lab 0",
        "acl add lab --at 3 deny any",
        "acl load lab -f /nosuch",
        "acl add lab deny src",
    ] {
        lan.cli().run(&wrong.split(' ').collect::<Vec<_>>()).refused();
    }
    assert_eq!(lan.cli().rows(&["acl", "list", "lab"]).len(), 1);
}

/// Two lists that both deny a flow are swapped while it is sent: not one frame of it passes.
#[test]
fn a_swap_is_never_half() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let denied = Packet::new(macs(&lan), v4(1, 2)).build();
    let lists = [0_u8, 1].map(|kind| {
        let filler = (0..300)
            .map(|number| {
                format!("allow src 172.{}.{}.{} dport {}\n", 16 + kind, number % 250, number / 250, number)
            })
            .collect::<Vec<_>>()
            .concat();
        let last = if kind == 0 { "deny src 10.0.0.0/24 proto udp" } else { "deny dst 10.0.0.2 sport 1000" };
        format!("{filler}{last}\n")
    });
    load(&lan, &lists[0]).ok();
    let (wire, denied) = (Port::open(&lan.stations[0].namespace, "eth0").unwrap(), denied);
    let ended = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let ended = &ended;
        let sender = scope.spawn(move || {
            let mut sent = 0_u64;
            while !ended.load(Ordering::Relaxed) {
                sent += u64::from(wire.send(&denied).is_ok());
            }
            sent
        });
        for round in 0..20 {
            load(&lan, &lists[(round + 1) % 2]).ok();
        }
        ended.store(true, Ordering::Relaxed);
        sender.join().unwrap()
    });
    assert!(sent > 1000, "{sent}");
    let got = lan.collect(|_| true);
    assert!(got.iter().all(Vec::is_empty), "{} of {sent} frames passed", got[1].len());
}

/// On a switch that filters VLANs, `vlan` is the VLAN of the switch, whatever the tag on the wire.
#[test]
fn the_vlan_is_that_of_the_switch() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    lan.introduce();
    let frame = Frame::new(lan.mac(0), lan.mac(1));
    for (rule, passes) in [("deny vlan 1", false), ("deny vlan 0", true), ("out deny vlan 1", false)] {
        lan.expect(0, &frame, &[1]);
        load(&lan, rule).ok();
        for _ in 0..2 {
            lan.expect(0, &frame, if passes { &[1] } else { &[] });
        }
        lan.cli().ok(&["acl", "flush", "lab"]);
    }
}

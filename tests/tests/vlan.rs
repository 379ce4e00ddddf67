//! VLAN filtering: access ports, trunks, native VLANs, priority tags, stacked tags, translation, and what a change does
//! to a flow whose verdict is cached. The kernel of the tests may lack VLAN filtering in its bridge, so there is only the
//! switch here; `vlan_model.rs` compares it with a written model.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::thread;

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{CTAG, Frame, STAG, station},
    iproute::ip,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

fn filtering<'a>(sandbox: &'a Sandbox, words: &[&[&str]]) -> Lan<'a> {
    let mut lan = Lan::empty(sandbox, Kind::Vswitch, "lab", 'a');
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    for words in words {
        lan.add(words);
    }
    lan
}

fn set(lan: &Lan, port: usize, words: &[&str]) {
    lan.cli().ok(&[&["port", "set", "lab", lan.port(port)], words].concat());
}

fn broadcast(lan: &Lan, from: usize) -> Frame {
    Frame::broadcast(lan.mac(from))
}

/// Sends one frame and expects another, which differs in its tag, at exactly these stations.
#[track_caller]
fn becomes(lan: &Lan, from: usize, sent: &Frame, left: &Frame, to: &[usize]) {
    lan.counters();
    lan.stations[from].wire.send(&sent.build()).unwrap();
    lan.expect_arrival(&left.build(), to, &format!("{sent:?} from {}", lan.port(from)));
    lan.counters();
}

/// Off means off: whatever the ports' VLANs are, frames go everywhere and tags stay.
#[test]
fn without_filtering_vlans_mean_nothing() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["access=20"], &["trunk=30"]]);
    lan.expect(0, &broadcast(&lan, 0), &[]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=off"]);
    lan.expect(0, &broadcast(&lan, 0), &[1, 2]);
    lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, 99), &[1, 2]);
    lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).tagged(STAG, 7), &[0]);
}

#[test]
fn access_ports_see_their_vlan_only() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["access=10"], &["access=20"], &["access=20"]]);
    for (from, to) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
        lan.expect(from, &broadcast(&lan, from), &[to]);
        lan.expect(from, &Frame::new(lan.mac(from), lan.mac(to)), &[to]);
        lan.expect(from, &Frame::new(lan.mac(from), lan.mac(to)).sequence(1), &[to]);
    }
    // Known in the other VLAN is not known in this one.
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)), &[1]);
}

#[test]
fn a_new_port_is_in_the_default_vlan() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = filtering(&sandbox, &[&[], &["access=1"]]);
    lan.expect(0, &broadcast(&lan, 0), &[1]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=off", "default-pvid=7"]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    lan.add(&[]);
    lan.add(&["access=7"]);
    // The ports that were in the default VLAN moved with it.
    lan.expect(0, &broadcast(&lan, 0), &[1, 2, 3]);
    let error = lan.cli().run(&["switch", "set", "lab", "default-pvid=9"]).refused().stderr;
    assert!(error.contains("vlan-filtering=off"), "{error}");
    lan.expect(0, &broadcast(&lan, 0), &[1, 2, 3]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=off", "default-pvid=none"]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    lan.expect(0, &broadcast(&lan, 0), &[]);
    assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("vlan"), 1);
}

#[test]
fn a_trunk_carries_tags_and_its_native_vlan_none() {
    let sandbox = Sandbox::enter().unwrap();
    let lan =
        filtering(&sandbox, &[&["access=10"], &["access=20"], &["trunk=10,20", "native=5"], &["access=5"]]);
    for (access, vid) in [(0, 10), (1, 20)] {
        let plain = broadcast(&lan, access);
        becomes(&lan, access, &plain, &plain.clone().tagged(CTAG, vid), &[2]);
        // Priority and drop eligibility come and go with the tag.
        let back = Frame::new(lan.mac(2), lan.mac(access));
        for sequence in 0..3 {
            let back = back.clone().sequence(sequence);
            becomes(&lan, 2, &back.clone().tagged(CTAG, 0xf000 | vid), &back, &[access]);
        }
        let known = Frame::new(lan.mac(access), lan.mac(2));
        for sequence in 0..3 {
            let known = known.clone().sequence(sequence);
            becomes(&lan, access, &known, &known.clone().tagged(CTAG, vid), &[2]);
        }
    }
    lan.expect(2, &broadcast(&lan, 2), &[3]);
    lan.expect(3, &broadcast(&lan, 3), &[2]);
    lan.expect(2, &broadcast(&lan, 2).tagged(CTAG, 30), &[]);
    lan.expect(2, &broadcast(&lan, 2).tagged(CTAG, 4095), &[]);
}

#[test]
fn without_a_pvid_untagged_frames_are_dropped() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["trunk=10"], &["trunk=10"]]);
    lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, 10), &[1]);
    lan.expect(0, &broadcast(&lan, 0), &[]);
    lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, 0xe000), &[]);
    assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("vlan"), 2);
    assert_eq!(
        lan.cli().rows(&["fdb", "list", "lab"]).iter().filter(|row| row["kind"] == "dynamic").count(),
        1
    );
}

/// A tag with VLAN 0 has a priority only: the frame is of the PVID, and the priority stays where there is a tag.
#[test]
fn a_priority_tag_keeps_its_priority() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["access=10"], &["trunk=10"]]);
    let plain = broadcast(&lan, 0);
    lan.stations[0].wire.send(&plain.clone().tagged(CTAG, 0xa000).build()).unwrap();
    let got = lan.collect(|got| !got[1].is_empty() && !got[2].is_empty());
    assert_eq!(got[1], [plain.build()]);
    assert_eq!(got[2], [plain.tagged(CTAG, 0xa00a).build()]);
}

/// The whole range, at one port, and each VLAN by itself.
#[test]
fn all_4094_vlans() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["trunk=all"], &["trunk=1-4093"], &["trunk=4094"]]);
    for vid in [1, 2, 63, 64, 65, 1000, 2047, 2048, 4093] {
        lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, vid), &[1]);
    }
    lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, 4094), &[2]);
    assert_eq!(lan.cli().rows(&["vlan", "list", "lab", "--port", lan.port(0)]).len(), 4094);
}

/// What an access port's station puts before its frames must not choose the VLAN behind a trunk.
#[test]
fn no_hopping_by_two_tags() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=1"], &["trunk=20", "native=1"], &["access=20"]]);
    for outer in [1, 0, 0xe000] {
        for protocol in [CTAG, STAG] {
            lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, outer).tagged(protocol, 20), &[]);
        }
    }
    for vid in [20, 30] {
        lan.expect(0, &broadcast(&lan, 0).tagged(CTAG, vid), &[]);
    }
    assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("vlan"), 8);
    // One tag of its own VLAN is as good as none.
    let plain = broadcast(&lan, 0);
    becomes(&lan, 0, &plain.clone().tagged(CTAG, 1), &plain, &[1]);
    // A trunk may carry stacked tags: the inner ones are payload.
    let stacked = broadcast(&lan, 1).tagged(CTAG, 20).tagged(CTAG, 1);
    becomes(&lan, 1, &stacked, &broadcast(&lan, 1).tagged(CTAG, 1), &[2]);
}

/// With 802.1ad tags the customers' 802.1Q tags are payload, whatever they say.
#[test]
fn provider_tags() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=100"], &["access=100"], &["trunk=100,200"], &["access=200"]]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-protocol=802.1ad"]);
    let customer = broadcast(&lan, 0).tagged(CTAG, 200);
    lan.stations[0].wire.send(&customer.build()).unwrap();
    let got = lan.collect(|got| !got[1].is_empty() && !got[2].is_empty());
    assert_eq!(got[1], [customer.build()]);
    let provider = broadcast(&lan, 0).tagged(STAG, 100).tagged(CTAG, 200);
    assert_eq!(got[2], [provider.build()]);
    assert!(got[3].is_empty());
    // And back again, from the cache as well.
    for sequence in 0..3 {
        let back = Frame::new(lan.mac(2), lan.mac(0)).sequence(sequence);
        let (outer, inner) = (back.clone().tagged(STAG, 0x6064), back);
        becomes(&lan, 2, &outer.tagged(CTAG, 3), &inner.tagged(CTAG, 3), &[0]);
    }
    // Two provider tags at an access port are a hop as well.
    lan.expect(0, &broadcast(&lan, 0).tagged(STAG, 100).tagged(STAG, 200), &[]);
}

#[test]
fn a_vlan_can_have_another_number_on_the_wire() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["trunk=10", "vlan-map=110:10"]]);
    let plain = broadcast(&lan, 0);
    becomes(&lan, 0, &plain, &plain.clone().tagged(CTAG, 110), &[1]);
    for sequence in 0..3 {
        let back = Frame::new(lan.mac(1), lan.mac(0)).sequence(sequence);
        becomes(&lan, 1, &back.clone().tagged(CTAG, 110), &back, &[0]);
    }
    set(&lan, 1, &["vlan-map=none"]);
    let back = Frame::new(lan.mac(1), lan.mac(0));
    lan.expect(1, &back.clone().tagged(CTAG, 110), &[]);
    becomes(&lan, 1, &back.clone().tagged(CTAG, 10), &back, &[0]);
}

/// The same station in two VLANs is two entries.
#[test]
fn each_vlan_has_its_own_addresses() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["trunk=10,20"], &["trunk=10,20"], &["trunk=10,20"]]);
    let wanderer = station(0x701);
    lan.expect(0, &Frame::broadcast(wanderer).tagged(CTAG, 10), &[1, 2]);
    lan.expect(1, &Frame::broadcast(wanderer).tagged(CTAG, 20), &[0, 2]);
    for _ in 0..2 {
        lan.expect(2, &Frame::new(lan.mac(2), wanderer).tagged(CTAG, 10), &[0]);
        lan.expect(2, &Frame::new(lan.mac(2), wanderer).tagged(CTAG, 20), &[1]);
    }
    let mut rows: Vec<(u64, String)> = lan
        .cli()
        .rows(&["fdb", "list", "lab"])
        .iter()
        .filter(|row| row["mac"] == wanderer.to_string().as_str())
        .map(|row| (row["vlan"].as_u64().unwrap(), row["port"].as_str().unwrap().to_owned()))
        .collect();
    rows.sort();
    assert_eq!(rows, [(10, lan.port(0).to_owned()), (20, lan.port(1).to_owned())]);
}

/// Frames to the port's own device are the host's, in whatever VLAN.
#[test]
fn the_device_of_a_port_is_in_each_vlan() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["access=10"]]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.port_mac(1)), &[]);
    assert_eq!(lan.counters().unwrap()[lan.port(0)].local, 1);
}

/// No station takes it by claiming its address, neither before nor after there is such a port.
#[test]
fn the_device_of_a_port_cannot_be_impersonated() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["access=10"]]);
    lan.expect(0, &Frame::broadcast(lan.port_mac(1)), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), lan.port_mac(1)), &[]);
    assert_eq!(lan.counters().unwrap()[lan.port(1)].local, 1);
    let mac = station(0x701);
    lan.expect(0, &Frame::broadcast(mac), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), mac), &[0]);
    ip(&["link", "add", "later", "address", &mac.to_string(), "up", "type", "veth", "peer", "name", "far"]);
    lan.cli().ok(&["port", "add", "lab", "later", "--dev", "access=10"]);
    lan.expect(1, &Frame::new(lan.mac(1), mac), &[]);
    assert_eq!(lan.counters().unwrap()[lan.port(1)].local, 2);
}

/// Each change is effective for the very next frame of a flow whose verdict is cached.
#[test]
fn a_change_voids_the_verdicts() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["trunk=10", "native=5"]]);
    let plain = Frame::new(lan.mac(0), lan.mac(1));
    becomes(&lan, 1, &broadcast(&lan, 1).tagged(CTAG, 10), &broadcast(&lan, 1), &[0]);
    let tagged = |vid| plain.clone().tagged(CTAG, vid);
    becomes(&lan, 0, &plain, &tagged(10), &[1]);
    set(&lan, 1, &["vlan-map=11:10"]);
    becomes(&lan, 0, &plain, &tagged(11), &[1]);
    set(&lan, 1, &["vlan-map=none", "trunk=none", "native=10"]);
    lan.expect(0, &plain, &[1]);
    // What the user has added stays behind its port.
    lan.cli().ok(&["fdb", "replace", "lab", &lan.mac(1).to_string(), lan.port(1), "--vlan", "10"]);
    lan.cli().ok(&["vlan", "del", "lab", lan.port(1), "10"]);
    lan.expect(0, &plain, &[]);
    assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("egress-vlan"), 1);
    lan.cli().ok(&["vlan", "add", "lab", lan.port(1), "10,20"]);
    becomes(&lan, 0, &plain, &tagged(10), &[1]);
    lan.cli().ok(&["vlan", "add", "lab", lan.port(1), "10", "--untagged"]);
    lan.expect(0, &plain, &[1]);
    set(&lan, 0, &["access=20"]);
    // Unknown in VLAN 20, so flooded there.
    becomes(&lan, 0, &plain, &tagged(20), &[1]);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=off"]);
    lan.expect(0, &plain, &[1]);
}

/// Each frame and copy counts where it enters and leaves, from the cache and past it; off means that nothing counts.
#[test]
fn counters_for_each_port_and_vlan() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["trunk=10,20"], &["access=20"]]);
    let counted = |port: usize, vlan: u64| {
        let rows = lan.cli().rows(&["vlan", "list", "lab", "--port", lan.port(port)]);
        let row = rows.iter().find(|row| row["vlan"] == vlan).unwrap();
        let number = |name: &str| row["counters"][name].as_u64();
        number("rx_frames").zip(number("tx_frames")).zip(number("rx_bytes").zip(number("tx_bytes")))
    };
    let plain = broadcast(&lan, 0);
    becomes(&lan, 0, &plain, &plain.clone().tagged(CTAG, 10), &[1]);
    assert_eq!(counted(0, 10), None);
    lan.cli().ok(&["switch", "set", "lab", "vlan-stats=on"]);
    assert_eq!(counted(0, 10), Some(((0, 0), (0, 0))));
    becomes(&lan, 0, &plain, &plain.clone().tagged(CTAG, 10), &[1]);
    for sequence in 0..3 {
        let back = Frame::new(lan.mac(1), lan.mac(0)).sequence(sequence);
        becomes(&lan, 1, &back.clone().tagged(CTAG, 10), &back, &[0]);
    }
    // Of a VLAN that the port is not in.
    lan.expect(0, &plain.clone().tagged(CTAG, 20), &[]);
    assert_eq!(counted(0, 10), Some(((1, 3), (60, 180))));
    assert_eq!(counted(1, 10), Some(((3, 1), (180, 60))));
    assert_eq!(counted(1, 20), Some(((0, 0), (0, 0))));
    lan.cli().ok(&["switch", "set", "lab", "vlan-stats=off"]);
    lan.expect(0, &plain.clone().sequence(9).tagged(CTAG, 20), &[]);
    assert_eq!(counted(0, 10), None);
}

/// More ports than one round of a flood has copies, tagged and untagged ones in turn.
#[test]
fn a_flood_in_rounds_dresses_each_copy() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = filtering(&sandbox, &[&["access=10"]]);
    for port in 0..300 {
        let name = format!("x{port}");
        lan.cli().ok(&[
            "port",
            "add",
            "lab",
            &name,
            "--host",
            if port % 2 == 0 { "trunk=10" } else { "access=10" },
        ]);
    }
    let tagged = lan.add(&["trunk=10"]);
    let plain = lan.add(&["access=10"]);
    let other = lan.add(&["access=20"]);
    let frame = broadcast(&lan, 0);
    lan.stations[0].wire.send(&frame.build()).unwrap();
    let got = lan.collect(|got| !got[tagged].is_empty() && !got[plain].is_empty());
    assert_eq!(got[tagged], [frame.clone().tagged(CTAG, 10).build()]);
    assert_eq!(got[plain], [frame.build()]);
    assert!(got[other].is_empty() && got[0].is_empty());
    lan.counters();
}

#[test]
fn wrong_words_change_nothing() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&["access=10"], &["access=10"]]);
    let port = lan.port(0).to_owned();
    for wrong in [
        "vlan-map=10:11,20:11",
        "pvid=11",
        "access=0",
        "tagged=10",
        "trunk=5-3",
        "vlan-map=1",
        "untagged=4095",
    ] {
        let error = lan.cli().run(&["port", "set", "lab", &port, wrong]).refused().stderr;
        assert!(error.contains(';') && error.lines().count() == 1, "{error}");
    }
    let twins = ["trunk=10,11", "vlan-map=10:11"];
    lan.cli().run(&[&["port", "set", "lab", &port], &twins[..]].concat()).refused();
    lan.cli().run(&["vlan", "add", "lab", &port, "5-6", "--pvid"]).refused();
    let error = lan.cli().run(&["vlan", "del", "lab", &port, "11"]).refused().stderr;
    assert_eq!(error.trim(), format!("error: port `{port}` is not in VLAN 11; it is in 10"));
    lan.expect(0, &Frame::new(lan.mac(0), MacAddr::BROADCAST), &[1]);
}

/// A port that leaves a VLAN leaves its addresses behind for nobody: they are flooded to again.
#[test]
fn what_was_learned_in_a_vlan_goes_with_it() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&[], &["untagged=1,20"], &[]]);
    lan.introduce();
    let known = Frame::new(lan.mac(0), lan.mac(1));
    lan.expect(0, &known, &[1]);
    lan.cli().ok(&["vlan", "del", "lab", lan.port(1), "1"]);
    lan.expect(0, &known, &[2]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)), &[2]);
    lan.cli().ok(&["vlan", "add", "lab", lan.port(1), "1", "--pvid", "--untagged"]);
    lan.expect(0, &known, &[1, 2]);
    set(&lan, 2, &["access=30"]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)), &[1]);
}

/// While a translation changes, each frame follows the old one or the new one, and none is taken for what it is called on
/// the wire.
#[test]
fn a_translation_changes_without_a_gap() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = filtering(&sandbox, &[&[], &["access=10"], &["access=3001"], &["access=3002"]]);
    let rest: Vec<String> = (100..600).map(|wire| format!(",{wire}:{}", wire + 1000)).collect();
    let rest = rest.concat();
    let all = ["pvid=none", "untagged=none", "tagged=1100-1599,3001,3002"];
    set(&lan, 0, &[&all[..], &[&format!("vlan-map=10:3001{rest}")]].concat());
    let changes = [3002, 3001, 3002, 3001].map(|inside| format!("vlan-map=10:{inside}{rest}"));
    let (cli, port) = (lan.cli().clone(), lan.port(0).to_owned());
    // The thread is in the sandbox as well.
    let changing = thread::spawn(move || {
        for words in changes {
            cli.ok(&["port", "set", "lab", &port, &words]);
        }
    });
    let frame = Frame::broadcast(station(1)).tagged(CTAG, 10).build();
    let mut sent = 0;
    while !changing.is_finished() && sent < 100_000 {
        sent += usize::from(lan.stations[0].wire.send(&frame).is_ok());
    }
    changing.join().unwrap();
    let got = lan.collect(|_| true);
    assert!(
        sent > 100 && !got[2].is_empty() && !got[3].is_empty(),
        "{sent} sent: {} {}",
        got[2].len(),
        got[3].len()
    );
    assert!(got[1].is_empty(), "{} of {sent} frames came out in VLAN 10", got[1].len());
}

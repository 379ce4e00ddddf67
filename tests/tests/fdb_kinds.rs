//! Kinds of entries, and the verbs that make and remove them.

use std::{thread, time::Duration};

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, station},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

const MAC: MacAddr = station(0x701);

fn put(lan: &Lan<'_>, verb: &str, port: &str, kind: &[&str]) -> vswitch_tests::vswitch::Output {
    lan.cli().run(&[&["fdb", verb, "lab", &MAC.to_string(), port], kind].concat())
}

fn kind_and_port(lan: &Lan<'_>) -> (String, String) {
    let entry = lan.entry(MAC);
    let text = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
    (text("kind"), text("port"))
}

fn is(kind: &str, port: &str) -> (String, String) {
    (kind.to_owned(), port.to_owned())
}

/// `add` respects what somebody has added, as `bridge fdb add` does; `replace` does not.
#[test]
fn add_and_replace() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan.expect(0, &Frame::broadcast(MAC), &[1, 2]);
    // What was learned makes way, and the flow to it follows at once.
    for sequence in 0..2 {
        lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(sequence), &[0]);
    }
    put(&lan, "add", "a2", &[]).ok();
    assert_eq!(kind_and_port(&lan), is("static", "a2"));
    lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(2), &[1]);
    for kind in [&["--static"][..], &["--sticky"], &["--dynamic"], &["--extern-learn"], &["--local"]] {
        let refused = put(&lan, "add", "a1", kind).refused();
        assert!(refused.stderr.contains("behind port `a2` already; change that with"), "{refused:?}");
    }
    assert_eq!(kind_and_port(&lan), is("static", "a2"));
    for (kind, word) in [
        (&["--sticky"][..], "sticky"),
        (&["--extern-learn"], "extern-learn"),
        (&["--local"], "local"),
        (&["--dynamic"], "dynamic"),
        (&[], "static"),
    ] {
        put(&lan, "replace", "a1", kind).ok();
        assert_eq!(kind_and_port(&lan), is(word, "a1"));
    }
    lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(3), &[0]);
    put(&lan, "add", "a1", &["--sticky", "--local"]).refused();
    assert_eq!(lan.cli().rows(&["fdb", "show", "lab", &MAC.to_string()]).len(), 1);
    lan.cli().ok(&["fdb", "del", "lab", &MAC.to_string()]);
    lan.cli().run(&["fdb", "show", "lab", &MAC.to_string()]).refused();
    lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(4), &[0, 1]);
}

/// What a control plane has added follows its station and is a learned one from then on; it never ages.
#[test]
fn extern_learn() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.set_ageing(1);
    put(&lan, "add", "a1", &["--extern-learn"]).ok();
    thread::sleep(Duration::from_millis(1300));
    lan.expect(2, &Frame::new(lan.mac(2), MAC), &[0]);
    assert_eq!(lan.row(0)["macs"], 0);
    lan.expect(1, &Frame::broadcast(MAC), &[0, 2]);
    assert_eq!(kind_and_port(&lan), is("dynamic", "a2"));
    assert_eq!((&lan.row(0)["macs"], &lan.row(1)["macs"]), (&0.into(), &1.into()));
    lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(1), &[1]);
    thread::sleep(Duration::from_millis(1300));
    lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(2), &[0, 1]);
}

/// As if it had been learned.
#[test]
fn dynamic() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.set_ageing(1);
    put(&lan, "add", "a1", &["--dynamic"]).ok();
    assert_eq!(lan.row(0)["macs"], 1);
    lan.expect(2, &Frame::new(lan.mac(2), MAC), &[0]);
    thread::sleep(Duration::from_millis(1300));
    lan.expect(2, &Frame::new(lan.mac(2), MAC).sequence(1), &[0, 1]);
}

/// Frames to it are the host's, and no frame makes it move.
#[test]
fn local() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    put(&lan, "add", "a1", &["--local"]).ok();
    lan.expect(2, &Frame::new(lan.mac(2), MAC), &[]);
    assert_eq!(lan.counters().unwrap()["a3"].local, 1);
    lan.expect(1, &Frame::new(MAC, lan.mac(2)), &[2]);
    assert_eq!(kind_and_port(&lan), is("local", "a1"));
    // That of a port's own device stays as long as the port.
    let own = lan.port_mac(0).to_string();
    for refused in [&["fdb", "del", "lab", &own][..], &["fdb", "replace", "lab", &own, "a2"]] {
        let refused = lan.cli().run(refused).refused();
        assert!(refused.stderr.contains("is the address of port `a1` itself"), "{refused:?}");
    }
    lan.cli().ok(&["fdb", "flush", "lab", "--kind", "local"]);
    assert!(lan.entry(MAC).is_null() && !lan.entry(lan.port_mac(0)).is_null());
    lan.remove_port(0);
    assert_eq!(
        lan.cli().rows(&["fdb", "list", "lab"]).iter().filter(|row| row["kind"] == "local").count(),
        2
    );
}

#[test]
fn flush_by_kind_and_port() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    let all = ["--static", "--sticky", "--extern-learn", "--dynamic"];
    let fill = || {
        for (port, base) in [("a1", 0x701), ("a2", 0x711)] {
            for (kind, number) in all.iter().zip(base..) {
                lan.cli().ok(&["fdb", "replace", "lab", &station(number).to_string(), port, kind]);
            }
        }
    };
    let flush = |words: &[&str]| {
        fill();
        lan.cli().json(&[&["fdb", "flush", "lab"], words].concat())["removed"].as_u64().unwrap()
    };
    assert_eq!(flush(&[]), 4);
    assert_eq!(flush(&["--port", "a1"]), 2);
    assert_eq!(flush(&["--kind", "dynamic"]), 2);
    assert_eq!(flush(&["--kind", "static"]), 2);
    assert_eq!(flush(&["--kind", "sticky", "--kind", "extern-learn", "--port", "a2"]), 2);
    assert_eq!(flush(&["--kind", "local"]), 0);
    let every = ["--kind", "static", "--kind", "sticky", "--kind", "extern-learn", "--kind", "dynamic"];
    assert_eq!(flush(&every), 8);
    assert_eq!(lan.cli().rows(&["fdb", "list", "lab"]).len(), 2, "the ports' own stay");
    lan.cli().run(&["fdb", "flush", "lab", "--kind", "blue"]).refused();
}

/// A switch that does not filter VLANs has none.
#[test]
fn vlans_need_filtering() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 1);
    let mac = MAC.to_string();
    for words in [
        &["fdb", "add", "lab", &mac, "a1", "--vlan", "5"][..],
        &["fdb", "del", "lab", &mac, "--vlan", "5"],
        &["fdb", "flush", "lab", "--vlan", "5"],
    ] {
        let refused = lan.cli().run(words).refused();
        assert!(refused.stderr.contains("leave --vlan out"), "{refused:?}");
    }
    lan.cli().ok(&["fdb", "add", "lab", &mac, "a1", "--vlan", "0"]);
}

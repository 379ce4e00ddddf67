//! `vswitch monitor` tells what the slow path does, and nothing is told when nobody listens.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, ChildStdout, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, station},
    packet::Packet,
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

/// What a monitor prints.
type Lines = std::io::Lines<BufReader<ChildStdout>>;

/// Starts a monitor and waits until it listens: it does as soon as the switch's log level is raised, which makes the next
/// new address an event.
fn start(lan: &Lan<'_>, extra: &[&str]) -> (Child, Lines) {
    let mut arguments = vec!["--json", "monitor", "lab"];
    arguments.extend(extra);
    let mut child = lan.cli().command(&arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut last = 0x100;
    let first = std::thread::scope(|scope| {
        let reader = scope.spawn(|| lines.next().unwrap().unwrap());
        wait::until("the monitor listens", || {
            last += 1;
            lan.expect(0, &Frame::broadcast(station(last)), &lan.others(0));
            wait::within(Duration::from_millis(20), || reader.is_finished())
        });
        reader.join().unwrap()
    });
    assert_eq!(serde_json::from_str::<Value>(&first).unwrap()["event"], "learned");
    (child, lines)
}

/// Follows the switch, does something, and returns what was told until Ctrl-C.
fn told(lan: &Lan<'_>, extra: &[&str], happen: impl FnOnce()) -> Vec<Value> {
    let (mut child, lines) = start(lan, extra);
    happen();
    std::thread::sleep(Duration::from_millis(200));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let rest = lines.map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect();
    assert!(child.wait().unwrap().success(), "Ctrl-C is the ordinary end");
    rest
}

#[test]
fn learned_and_moved() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    let mac = station(0x42);
    let events = told(&lan, &[], || {
        lan.expect(1, &Frame::broadcast(mac), &[0, 2]);
        lan.expect(2, &Frame::broadcast(mac), &[0, 1]);
        // A drop is not told unless it is asked for.
        lan.expect(1, &Frame::new(MacAddr::BROADCAST, lan.mac(0)), &[]);
    });
    let mac = mac.to_string();
    assert_eq!(
        events,
        [
            json!({"event": "learned", "mac": mac, "port": "a2"}),
            json!({"event": "moved", "mac": mac, "from": "a2", "to": "a3"}),
        ]
    );
}

#[test]
fn drops_on_request() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    let events = told(&lan, &["--drops"], || {
        lan.expect(1, &Frame::new(MacAddr::BROADCAST, lan.mac(0)), &[]);
    });
    assert_eq!(events, [json!({"event": "dropped", "port": "a2", "reason": "invalid-source"})]);
}

/// Guards tell what they do, once and not for each frame.
#[test]
fn guards_tell() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    let mac = station(0x42);
    lan.set(1, &["move-guard=log", "guard=on"]);
    let mut events = told(&lan, &[], || {
        for turn in 0..30 {
            lan.stations[1 + turn % 2].wire.send(&Frame::broadcast(mac).build()).unwrap();
            lan.collect(|got| !got[0].is_empty());
        }
        lan.expect(1, &Frame::new(lan.mac(1), MacAddr::new([1, 0x80, 0xc2, 0, 0, 0])), &[]);
    });
    let shut = events.pop().unwrap();
    assert_eq!(shut, json!({"event": "shut", "port": "a2", "reason": "bpdu", "seconds": 60}));
    let flapping: Vec<_> = events.iter().filter(|event| event["event"] == "flapping").collect();
    assert!((1..=4).contains(&flapping.len()), "{events:?}");
    assert_eq!(*flapping[0], json!({"event": "flapping", "mac": mac.to_string(), "from": "a3", "to": "a2"}));
}

/// A rule with `log` tells of each flow once, not of each frame.
#[test]
fn rules_on_request() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    lan.introduce();
    lan.cli().ok(&["acl", "add", "lab", "deny", "dport", "22", "log"]);
    lan.cli().ok(&["acl", "add", "lab", "count", "any"]);
    let events = told(&lan, &[], || {
        let addresses = [1, 2].map(|last| std::net::IpAddr::from([10, 0, 0, last]));
        let packet = Packet::new([lan.mac(0), lan.mac(1)], addresses).tcp(0);
        for port in [22, 23] {
            let bytes = packet.clone().ports(5, port).build();
            for _ in 0..5 {
                lan.stations[0].wire.send(&bytes).unwrap();
            }
        }
        let passed = lan.collect(|got| got[1].len() == 5);
        assert_eq!((passed[0].len(), passed[1].len()), (0, 5));
    });
    let expected = json!({
        "event": "ruled", "port": "a1", "direction": "in", "rule": 1, "action": "deny",
        "source_mac": lan.mac(0).to_string(), "destination_mac": lan.mac(1).to_string(), "vlan": 0,
        "ethertype": "0800", "protocol": 6, "source": "10.0.0.1", "destination": "10.0.0.2",
        "source_port": 5, "destination_port": 22,
    });
    // The cache period may end in between.
    assert!(matches!(events.len(), 1 | 2) && events.iter().all(|event| *event == expected), "{events:?}");
}

/// One listener at a time, and none that outlives its switch.
#[test]
fn a_second_listener_is_refused_and_the_first_ends_with_the_switch() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    let (mut first, _lines) = start(&lan, &[]);
    let refused = lan.cli().run(&["monitor", "lab"]).refused();
    assert!(refused.stderr.contains("is followed already"), "{refused:?}");
    lan.cli().ok(&["switch", "del", "lab"]);
    wait::until("the first has ended", || first.try_wait().unwrap().is_some());
    assert!(first.wait().unwrap().success());
}

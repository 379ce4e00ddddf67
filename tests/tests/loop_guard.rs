//! A loop made on purpose: two ports of a switch are cabled together by a bridge.
//!
//! ```text
//!   a1  a2    l1   l2        the switch
//!    │   │     │    │
//!   stations   └────┘        namespace `loop`
//! ```
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    thread,
    time::{Duration, Instant},
};

use vswitch_tests::{
    device,
    frame::{Frame, station},
    iproute::ip,
    sandbox::{NetNs, Sandbox},
    topology::{Kind, Lan},
    wait,
};

struct Cabled<'a> {
    lan: Lan<'a>,
    _inside: NetNs,
}

fn cabled(sandbox: &Sandbox) -> Cabled<'_> {
    let lan = Lan::new(sandbox, Kind::Vswitch, 2);
    let inside = sandbox.netns("loop").unwrap();
    inside.run(device::no_ipv6).unwrap();
    ip(&[
        "-n",
        "loop",
        "link",
        "add",
        "name",
        "cable",
        "type",
        "bridge",
        "stp_state",
        "0",
        "mcast_snooping",
        "0",
    ]);
    for (port, ifname) in [("l1", "e1"), ("l2", "e2")] {
        lan.cli().ok(&["port", "add", "lab", port, "--netns", "loop", "--ifname", ifname]);
        ip(&["-n", "loop", "link", "set", ifname, "master", "cable"]);
    }
    Cabled { lan, _inside: inside }
}

/// The frames go round from now on.
fn close_the_loop() {
    ip(&["-n", "loop", "link", "set", "cable", "up"]);
}

impl Cabled<'_> {
    fn state(&self, port: &str) -> String {
        let rows = self.lan.cli().rows(&["port", "show", "lab", port]);
        rows[0]["shut"]["reason"].as_str().unwrap_or("open").to_owned()
    }

    /// Frames that came in by the cabled ports.
    fn rounds(&self) -> u64 {
        let counters = self.lan.counters().unwrap();
        counters["l1"].rx_frames + counters["l2"].rx_frames
    }

    /// How many come in while nobody sends.
    fn rounds_in(&self, time: Duration) -> u64 {
        let before = self.rounds();
        thread::sleep(time);
        self.rounds() - before
    }
}

#[test]
fn a_loop_goes_on_without_a_guard() {
    let sandbox = Sandbox::enter().unwrap();
    let cabled = cabled(&sandbox);
    close_the_loop();
    cabled.lan.stations[0].wire.send(&Frame::broadcast(cabled.lan.mac(0)).build()).unwrap();
    thread::sleep(Duration::from_millis(300));
    let rounds = cabled.rounds_in(Duration::from_millis(200));
    // It would never end: the port is taken away.
    cabled.lan.cli().ok(&["port", "del", "lab", "l2"]);
    assert!(rounds > 100, "{rounds} frames are no loop");
    cabled.lan.collect(|_| true);
    let after = cabled.lan.counters().unwrap()["l1"].rx_frames;
    thread::sleep(Duration::from_millis(100));
    assert_eq!(cabled.lan.counters().unwrap()["l1"].rx_frames, after);
}

#[test]
fn a_loop_ends_within_a_second() {
    let sandbox = Sandbox::enter().unwrap();
    let cabled = cabled(&sandbox);
    let lan = &cabled.lan;
    // The stations' own ports are guarded as well, and innocent.
    for port in ["a1", "a2", "l1", "l2"] {
        lan.cli().ok(&["port", "set", "lab", port, "loop-guard=on"]);
    }
    close_the_loop();
    let start = Instant::now();
    lan.stations[0].wire.send(&Frame::broadcast(lan.mac(0)).build()).unwrap();
    wait::until("one of the two is shut", || {
        [cabled.state("l1"), cabled.state("l2")].contains(&"loop".to_owned())
    });
    let took = start.elapsed();
    assert_eq!(cabled.rounds_in(Duration::from_millis(200)), 0, "it goes on\n{}", lan.dump());
    let rounds = cabled.rounds();
    println!("the loop ended within {took:?}, after {rounds} frames");
    let states = ["a1", "a2", "l1", "l2"].map(|port| cabled.state(port));
    assert_eq!(states.iter().filter(|state| *state == "loop").count(), 1, "{states:?}");
    assert_eq!((&states[0][..], &states[1][..]), ("open", "open"));
    // Far less than a second of it: one frame needs some microseconds for a round.
    assert!(rounds < 20_000, "{rounds} frames came in before it ended");
    lan.collect(|_| true);
    lan.expect(0, &Frame::broadcast(lan.mac(0)).sequence(1), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)), &[0]);
    assert_eq!(lan.entry(lan.mac(0))["port"], "a1");
}

/// While a station goes on to speak, its own port sees its address come back again and again.
#[test]
fn the_station_is_innocent() {
    let sandbox = Sandbox::enter().unwrap();
    let cabled = cabled(&sandbox);
    let lan = &cabled.lan;
    for port in ["a1", "a2", "l1", "l2"] {
        lan.cli().ok(&["port", "set", "lab", port, "loop-guard=on"]);
    }
    close_the_loop();
    for sequence in 0..40 {
        lan.stations[0].wire.send(&Frame::broadcast(lan.mac(0)).sequence(sequence).build()).unwrap();
        thread::sleep(Duration::from_millis(1));
    }
    wait::until("one of the two is shut", || {
        [cabled.state("l1"), cabled.state("l2")].contains(&"loop".to_owned())
    });
    assert_eq!((cabled.state("a1"), cabled.state("a2")), ("open".to_owned(), "open".to_owned()));
}

/// A frame of a port's own device that comes in by any port has gone round.
#[test]
fn a_frame_of_our_own_device() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    let ours = lan.port_mac(0);
    // Off means off.
    lan.expect(1, &Frame::new(ours, lan.mac(2)), &[2]);
    lan.expect(1, &Frame::new(ours, lan.mac(2)).sequence(1), &[2]);
    lan.set(1, &["loop-guard=on"]);
    lan.expect(1, &Frame::new(station(0x701), lan.mac(2)), &[2]);
    lan.expect(1, &Frame::new(ours, lan.mac(2)).sequence(2), &[]);
    assert_eq!((&lan.row(1)["state"], &lan.row(1)["shut"]["reason"]), (&"shut".into(), &"loop".into()));
    assert_eq!(lan.counters().unwrap()["a2"].dropped("looped"), 1);
    lan.expect(2, &Frame::new(lan.mac(2), lan.mac(0)), &[0]);
}

//! Storm control and policing: a full bucket passes, and not one frame more; what is not metered is not touched.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{sync::Barrier, thread, time::Instant};

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use bytes::Bytes;
use nix::{
    net::if_::if_nametoindex,
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, MULTICAST, station},
    port::{Offload, Port},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

const UNKNOWN: MacAddr = station(0x7ff);
/// Frames of each attempt.
const FRAMES: u64 = 20;
/// Length of the frames that the tests send.
const LENGTH: u64 = 60;

fn lan(sandbox: &Sandbox) -> Lan<'_> {
    let lan = Lan::new(sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan
}

fn set(lan: &Lan, station: usize, words: &[&str]) {
    lan.cli().ok(&[&["port", "set", &lan.name, lan.port(station)], words].concat());
}

/// Sends frames from station 0 and gives how many arrive at each. A bucket that loses a frame each second may gain as many as
/// the second return value while that lasts.
fn send(lan: &Lan, to: MacAddr, expected: [u64; 3]) -> ([u64; 3], u64) {
    let start = Instant::now();
    for sequence in 0..FRAMES {
        let frame = Frame::new(lan.mac(0), to).sequence(u32::try_from(sequence).unwrap());
        lan.stations[0].wire.send(&frame.build()).unwrap();
    }
    let got = lan.collect(|got| got.iter().zip(expected).all(|(got, expected)| got.len() as u64 >= expected));
    ([0, 1, 2].map(|station| got[station].len() as u64), start.elapsed().as_secs())
}

#[track_caller]
fn expect(lan: &Lan, to: MacAddr, expected: [u64; 3]) {
    let (got, late) = send(lan, to, expected);
    for (got, expected) in got.into_iter().zip(expected) {
        let most = if expected == FRAMES { FRAMES } else { expected + if expected == 0 { 0 } else { late } };
        assert!((expected..=most).contains(&got), "{got} instead of {expected}\n{}", lan.dump());
    }
}

fn kinds(lan: &Lan) -> [(&'static str, MacAddr, [u64; 3]); 4] {
    [
        ("storm-broadcast", MacAddr::BROADCAST, [0, FRAMES, FRAMES]),
        ("storm-multicast", MULTICAST, [0, FRAMES, FRAMES]),
        ("storm-unknown", UNKNOWN, [0, FRAMES, FRAMES]),
        ("nothing", lan.mac(1), [0, FRAMES, 0]),
    ]
}

#[test]
fn each_kind_of_storm_has_its_meter() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    for (key, to, all) in &kinds(&lan)[..3] {
        for burst in ["1pps:5p".to_owned(), format!("8bit:{}b", 5 * LENGTH)] {
            let before = lan.counters().unwrap()[lan.port(0)].clone();
            set(&lan, 0, &[&format!("{key}={burst}")]);
            expect(&lan, *to, [0, 5, 5]);
            for (other, to, all) in kinds(&lan) {
                if other != *key {
                    expect(&lan, to, all);
                }
            }
            let after = lan.counters().unwrap()[lan.port(0)].clone();
            let dropped = after.dropped("storm") - before.dropped("storm");
            assert!((FRAMES - 6..=FRAMES - 5).contains(&dropped), "{key} {burst}: {dropped}");
            // Another port has none, and this one has none any more.
            set(&lan, 0, &[&format!("{key}=off")]);
            expect(&lan, *to, *all);
        }
    }
}

#[test]
fn a_storm_at_another_port_is_not_this_ports() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    for station in [1, 2] {
        let words = ["storm-broadcast=1pps:1p", "storm-multicast=1pps:1p", "storm-unknown=1pps:1p"];
        set(&lan, station, &words);
    }
    for (_, to, all) in kinds(&lan) {
        expect(&lan, to, all);
    }
}

/// Once with a verdict in the cache, once with frames of which each takes the slow path.
#[test]
fn what_a_port_receives() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    for (to, few, all) in
        [(lan.mac(1), [0, 5, 0], [0, FRAMES, 0]), (MacAddr::BROADCAST, [0, 5, 5], [0, FRAMES, FRAMES])]
    {
        for burst in ["1pps:5p".to_owned(), format!("8bit:{}b", 5 * LENGTH + 1)] {
            expect(&lan, to, all);
            let before = lan.counters().unwrap()[lan.port(0)].clone();
            set(&lan, 0, &[&format!("police-in={burst}")]);
            expect(&lan, to, few);
            let after = lan.counters().unwrap()[lan.port(0)].clone();
            let dropped = after.dropped("policed") - before.dropped("policed");
            assert!((FRAMES - 6..=FRAMES - 5).contains(&dropped), "{burst}: {dropped}");
            // What it sends is another matter, and so is what other ports receive.
            lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)), &[0]);
            set(&lan, 0, &["police-in=off"]);
        }
    }
}

#[test]
fn what_a_port_sends() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    expect(&lan, lan.mac(1), [0, FRAMES, 0]);
    set(&lan, 1, &["police-out=1pps:5p"]);
    expect(&lan, lan.mac(1), [0, 5, 0]);
    let counters = lan.counters().unwrap();
    assert!(counters[lan.port(0)].dropped("policed") >= FRAMES - 6, "{}", lan.dump());
    assert_eq!(counters[lan.port(1)].dropped("policed"), 0);
    // Copies of a flood: those of other ports are not fewer, and the frame itself is no drop.
    set(&lan, 1, &["police-out=1pps:5p"]);
    expect(&lan, MacAddr::BROADCAST, [0, 5, FRAMES]);
    let after = lan.counters().unwrap();
    assert!(after[lan.port(1)].tx_drops["policed"] >= FRAMES - 6, "{}", lan.dump());
    assert_eq!(after[lan.port(0)].dropped("policed"), counters[lan.port(0)].dropped("policed"));
    lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)), &[0]);
    set(&lan, 1, &["police-out=off"]);
    expect(&lan, lan.mac(1), [0, FRAMES, 0]);
    expect(&lan, MacAddr::BROADCAST, [0, FRAMES, FRAMES]);
}

/// The next port in the slot begins with none of what the last one had, even if that was never taken off.
#[test]
fn a_meter_goes_with_its_port() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    lan.add(&["police-out=1pps:1p", "storm-broadcast=2kpps:7p"]);
    let cli = lan.cli().clone();
    let shown = |name: &str| cli.json(&["port", "show", "lab", name])[0]["meters"].clone();
    assert_eq!(
        shown(lan.port(2)),
        serde_json::json!({"police-out": "1pps:1p", "storm-broadcast": "2kpps:7p"})
    );
    let table = lan.cli().ok(&["port", "list", "lab"]).stdout;
    assert!(table.contains("police-out=1pps:1p storm-broadcast=2kpps:7p"), "{table}");
    // A refused word changes nothing, not even the one before it.
    lan.cli().run(&["port", "set", "lab", lan.port(2), "police-out=off", "police-in=5"]).refused();
    assert_eq!(shown(lan.port(2))["police-out"], "1pps:1p");
    lan.remove_port(2);
    let next = lan.add(&[]);
    assert_eq!(shown(lan.port(next)), serde_json::json!({}));
    for _ in 0..3 {
        lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, next]);
    }
    set(&lan, next, &["police-in=1gbit"]);
    assert_eq!(shown(lan.port(next)), serde_json::json!({"police-in": "1gbit:12500000b"}));
}

/// An aggregate of ten segments with 1448 bytes each.
fn aggregate(lan: &Lan) -> (Offload, Bytes) {
    let payload = 14_480;
    let plain = Frame::new(lan.mac(0), lan.mac(1)).ethertype(0x0800).payload(0).build();
    let mut ip = vec![0x45, 0];
    ip.extend(u16::try_from(40 + payload).unwrap().to_be_bytes());
    ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let tcp = [0x10, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    let offload = Offload {
        flags: 1,
        gso_type: 1,
        header_length: 54,
        gso_size: 1448,
        checksum_start: 34,
        checksum_offset: 16,
    };
    (offload, [&plain[..], &ip, &tcp, &vec![7; payload]].concat().into())
}

#[test]
fn an_aggregate_counts_as_its_frames() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    let sender = Port::open_offload(&lan.stations[0].namespace, "eth0").unwrap();
    let (offload, frame) = aggregate(&lan);
    for (meter, passes) in [
        ("1pps:39p".to_owned(), 3),
        ("1pps:40p".to_owned(), 4),
        ("1pps:9p".to_owned(), 0),
        (format!("8bit:{}b", 2 * 10 * (54 + 1448)), 2),
        (format!("8bit:{}b", 2 * 10 * (54 + 1448) - 1), 1),
    ] {
        for key in ["police-in", "police-out"] {
            let port = usize::from(key == "police-out");
            set(&lan, port, &[&format!("{key}={meter}")]);
            for _ in 0..6 {
                sender.send_offload(offload, &frame).unwrap();
            }
            let got = lan.collect(|got| got[1].len() >= passes);
            assert_eq!(got[1].len(), passes, "{key}={meter}\n{}", lan.dump());
            set(&lan, port, &[&format!("{key}=off")]);
        }
    }
}

/// All CPUs draw from one bucket at once, and never more than is in it.
#[test]
fn cpus_share_a_bucket() {
    const RUNS: u32 = 50_000;
    const BURST: u64 = 10_000;
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox);
    set(&lan, 0, &[&format!("police-in=1pps:{BURST}p")]);
    let program = SchedClassifier::from_pin("/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc").unwrap();
    let cpus = thread::available_parallelism().unwrap().get();
    let frame = Frame::new(lan.mac(0), lan.mac(1)).build();
    let mut context = [0_u8; 44];
    context[40..].copy_from_slice(&if_nametoindex(lan.port(0)).unwrap().to_ne_bytes());
    let before = lan.counters().unwrap()[lan.port(0)].clone();
    let (start, barrier) = (Instant::now(), Barrier::new(cpus));
    thread::scope(|scope| {
        for cpu in 0..cpus {
            let (program, frame, context, barrier) = (&program, &frame, &context, &barrier);
            scope.spawn(move || {
                let mut set = CpuSet::new();
                set.set(cpu).unwrap();
                // A machine that does not let us choose still runs the threads somewhere.
                let _ = sched_setaffinity(Pid::from_raw(0), &set);
                barrier.wait();
                let options = TestRunOptions {
                    data_in: Some(frame),
                    ctx_in: Some(context),
                    repeat: RUNS,
                    ..TestRunOptions::new()
                };
                program.test_run(options).unwrap();
            });
        }
    });
    let late = start.elapsed().as_secs() + 1;
    let after = lan.counters().unwrap()[lan.port(0)].clone();
    let passed = after.forwarded - before.forwarded;
    let dropped = after.dropped("policed") - before.dropped("policed");
    assert_eq!(passed + dropped, u64::from(RUNS) * cpus as u64);
    // A frame that loses each race is refused, but the ones after it make up for that.
    assert!(passed <= BURST + late, "{passed} of {BURST} passed");
    assert!(passed >= BURST, "{passed} of {BURST} passed");
}

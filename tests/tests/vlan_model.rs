//! Random frames through a switch that filters VLANs and through the written model, with random changes of the ports'
//! VLANs between the bursts: every station must get the same bytes.
//!
//! `VSWITCH_VLAN_FRAMES` sets how many frames (20,000 unless told), `VSWITCH_SEED` repeats a run.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    env,
    time::{Duration, Instant},
};

use bytes::Bytes;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{CTAG, ETHERTYPE, Frame, MULTICAST, STAG, station},
    port::wait_any,
    random::Random,
    sandbox::Sandbox,
    topology::{Kind, Lan},
    vlan_model::{Port, Switch},
};

const PORTS: usize = 5;
const BURST: usize = 200;
const VIDS: [u16; 6] = [1, 2, 10, 20, 100, 4094];
/// All ports are in this VLAN, for the markers at the end of a burst.
const MARKERS: u16 = 3999;
const MARKER: u16 = ETHERTYPE + 1;

#[test]
fn as_the_model_with_8021q_tags() {
    compare("802.1q", CTAG, |_| {});
}

#[test]
fn as_the_model_with_8021ad_tags() {
    compare("802.1ad", STAG, |_| {});
}

/// One VLAN of one port that the model does not know of is found.
#[test]
#[should_panic(expected = "differs from the model")]
fn a_difference_is_found() {
    compare("802.1q", CTAG, |model| {
        model.ports[1].tagged.remove(&20);
        model.ports[1].untagged.remove(&20);
    });
}

fn frames() -> usize {
    env::var("VSWITCH_VLAN_FRAMES").map_or(20_000, |text| text.parse().expect("a number of frames"))
}

fn compare(word: &str, protocol: u16, falsify: impl Fn(&mut Switch)) {
    let mut cpus = CpuSet::new();
    cpus.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, PORTS);
    lan.cli().ok(&["switch", "set", "lab", "vlan-filtering=on", &format!("vlan-protocol={word}")]);
    let mut random = Random::from_environment();
    let mut model = Switch::new(vec![Port::default(); PORTS], protocol);
    let mut arrived = 0;
    for burst in 0..frames().div_ceil(BURST) {
        let changed = if burst == 0 { (0..PORTS).collect() } else { vec![random.below(PORTS)] };
        for port in changed {
            model.set_port(port, any_port(&mut random));
            set(&lan, port, &model.ports[port]);
        }
        let mut expected_by = model.clone();
        falsify(&mut expected_by);
        let from = random.below(PORTS);
        let sent: Vec<Bytes> =
            (0..BURST).map(|number| any_frame(&mut random, from, number).build()).collect();
        let mut expected = vec![Vec::new(); PORTS];
        for frame in &sent {
            for (port, bytes) in expected_by.receive(from, frame) {
                expected[port].push(bytes);
            }
        }
        expected_by.ports.clone_from(&model.ports);
        model = expected_by;
        let found = send(&lan, protocol, from, &sent, burst);
        for port in 0..PORTS {
            arrived += found[port].len();
            assert!(
                by_flow(&found[port]) == by_flow(&expected[port]),
                "burst {burst} from {from}: station {port} differs from the model: {} frames, {} expected\n{:#?}\n{}",
                found[port].len(),
                expected[port].len(),
                model.ports,
                first_difference(&found[port], &expected[port]),
            );
        }
        if random.once_in(10) {
            model.flush();
            lan.flush();
        }
    }
    lan.counters();
    assert!(arrived > frames() / 3, "{arrived} arrivals are too few to have compared anything");
    println!("{} frames, {arrived} arrivals, all as the model says", frames());
}

fn set(lan: &Lan, port: usize, spec: &Port) {
    let mut spec = spec.clone();
    spec.tagged.insert(MARKERS);
    let words = spec.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    lan.cli().ok(&[&["port", "set", "lab", lan.port(port)], &words[..]].concat());
}

fn any_port(random: &mut Random) -> Port {
    let mut port = Port::default();
    for vid in VIDS {
        match random.below(3) {
            0 => drop(port.tagged.insert(vid)),
            1 => drop(port.untagged.insert(vid)),
            _ => {}
        }
    }
    if random.once_in(3) {
        port.map = BTreeMap::from([(100, 10), (*random.pick(&[1, 2, 3000]), 20)]);
        // Two VLANs with one number on the wire are refused.
        port.tagged.retain(|vid| !port.map.contains_key(vid));
    }
    // The markers' VLAN is tagged at each port, so none is an access port here: those have a test of their own.
    let all: Vec<u16> = port.tagged.union(&port.untagged).copied().collect();
    if !all.is_empty() && !random.once_in(5) {
        port.pvid = Some(*random.pick(&all));
    }
    port.tagged.insert(MARKERS);
    port
}

fn any_frame(random: &mut Random, from: usize, number: usize) -> Frame {
    let address = |port: usize, which: usize| station(u16::try_from(0x100 * which + port + 1).unwrap());
    let source = match random.below(20) {
        0 => address(random.below(PORTS), random.below(2)),
        _ => address(from, random.below(2)),
    };
    let destination = match random.below(10) {
        0 => MacAddr::BROADCAST,
        1 => MULTICAST,
        2 => station(0x7ff),
        _ => address(random.below(PORTS), random.below(2)),
    };
    let frame = Frame::new(source, destination).sequence(u32::try_from(number).unwrap());
    let control = |random: &mut Random| {
        let priority = u16::try_from(random.below(16) << 12).unwrap();
        let vid = match random.below(10) {
            0 => 0,
            1 => *random.pick(&[3, 4095, 3000]),
            _ => *random.pick(&VIDS),
        };
        priority | vid
    };
    let frame = match random.below(10) {
        0..3 => frame,
        3..7 => frame.tagged(CTAG, control(random)),
        7 => frame.tagged(STAG, control(random)),
        8 => frame.tagged(CTAG, control(random)).tagged(CTAG, control(random)),
        _ => frame.tagged(STAG, control(random)).tagged(CTAG, control(random)),
    };
    frame.payload(46 + random.below(400))
}

/// Sends the burst, then a marker from the sender and one from another station, and gives what each station got
/// before the markers.
fn send(lan: &Lan, protocol: u16, from: usize, frames: &[Bytes], burst: usize) -> Vec<Vec<Bytes>> {
    for frame in frames {
        lan.stations[from].wire.send(frame).unwrap();
    }
    let marks = [from, (from + 1) % PORTS].map(|sender| {
        let source = station(0x7e00 + u16::try_from(sender).unwrap());
        let mark = Frame::broadcast(source).tagged(protocol, MARKERS).ethertype(MARKER);
        let mark = mark.sequence(u32::try_from(burst).unwrap()).build();
        lan.stations[sender].wire.send(&mark).unwrap();
        (sender, mark)
    });
    let mut missing: Vec<Vec<&Bytes>> = (0..PORTS)
        .map(|port| marks.iter().filter(|(sender, _)| *sender != port).map(|(_, mark)| mark).collect())
        .collect();
    let wires: Vec<_> = lan.stations.iter().map(|station| &station.wire).collect();
    let mut got = vec![Vec::new(); PORTS];
    let deadline = Instant::now() + Duration::from_secs(5);
    while missing.iter().any(|marks| !marks.is_empty()) {
        assert!(
            wait_any(&wires, deadline).unwrap() > 0,
            "burst {burst}: a marker is missing\n{}",
            lan.dump()
        );
        for (port, wire) in wires.iter().enumerate() {
            while let Some(frame) = wire.try_receive().unwrap() {
                match missing[port].iter().position(|mark| **mark == frame) {
                    Some(position) => drop(missing[port].remove(position)),
                    None => got[port].push(frame),
                }
            }
        }
    }
    got
}

/// The frames of each (destination, source), in the order of their arrival.
fn by_flow(frames: &[Bytes]) -> BTreeMap<&[u8], VecDeque<&Bytes>> {
    let mut flows: BTreeMap<&[u8], VecDeque<&Bytes>> = BTreeMap::new();
    for frame in frames {
        flows.entry(&frame[..12]).or_default().push_back(frame);
    }
    flows
}

fn first_difference(found: &[Bytes], expected: &[Bytes]) -> String {
    let (one, other): (BTreeSet<_>, BTreeSet<_>) = (found.iter().collect(), expected.iter().collect());
    let head = |frame: Option<&&Bytes>| frame.map(|frame| format!("{:02x?}", &frame[..24]));
    let (surplus, missing) = (one.difference(&other).next(), other.difference(&one).next());
    format!("surplus {:?}\nmissing {:?}", head(surplus), head(missing))
}

//! The same random frames through a Linux bridge and through the switch: every station must get the same bytes.
//!
//! `VSWITCH_DIFFERENTIAL_FRAMES` sets how many (100,000 unless told), `VSWITCH_SEED` repeats a run.
//!
//! Frames are sent in bursts from one station. A marker at the end of a burst, and one from another station for the
//! sender itself, tells when all of it has arrived: the thread stays on one CPU, where the kernel keeps the order.
//! Frames of one source to one destination must arrive in the order in which they were sent; others may overtake
//! each other, as IEEE 802.1Q (6.5.3) allows.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    collections::{BTreeMap, VecDeque},
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
    iproute::ip,
    port::{Port, wait_any},
    random::Random,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

const PORTS: usize = 6;
const BURST: usize = 200;
/// The last station has jumbo frames, so that frames exist that are too long for the others.
const JUMBO: usize = PORTS - 1;
/// Ethertype of markers.
const MARKER: u16 = ETHERTYPE + 1;

/// Two bridges are equal: what the comparison finds is a difference, not noise.
#[test]
fn bridge_and_bridge() {
    compare(Kind::Bridge, frames() / 5, |_| {});
}

/// One knob at one port, which the frames seldom touch, is a difference that is found.
#[test]
#[should_panic(expected = "the first difference is frame")]
fn a_difference_is_found() {
    compare(Kind::Bridge, frames() / 5, |subject| {
        subject.set_flag(3, "mcast-flood", false);
    });
}

/// So is an address that is not learned.
#[test]
#[should_panic(expected = "the first difference is frame")]
fn a_missing_address_is_found() {
    compare(Kind::Bridge, frames() / 5, |subject| {
        subject.set_flag(3, "learning", false);
    });
}

#[test]
fn bridge_and_vswitch() {
    compare(Kind::Vswitch, frames(), |_| {});
}

fn frames() -> usize {
    env::var("VSWITCH_DIFFERENTIAL_FRAMES").map_or(100_000, |text| text.parse().expect("a number of frames"))
}

fn compare(kind: Kind, frames: usize, prepare: impl Fn(&Lan)) {
    stay_on_one_cpu();
    let sandbox = Sandbox::enter().unwrap();
    let reference = lan(&sandbox, Kind::Bridge, "reference", 'a');
    let subject = lan(&sandbox, kind, "subject", 'b');
    prepare(&subject);
    let devices: Vec<MacAddr> = (0..PORTS).map(|port| subject.port_mac(port)).collect();
    for (port, mac) in devices.iter().enumerate() {
        // To the device of a port is to the host, so both must have the same devices.
        ip(&["link", "set", reference.port(port), "address", &mac.to_string()]);
    }
    let mut random = Random::from_environment();
    let mut arrived = 0;
    for burst in 0..frames.div_ceil(BURST) {
        let from = random.below(PORTS);
        let sent: Vec<Frame> =
            (0..BURST).map(|number| any_frame(&mut random, from, &devices, number)).collect();
        let what = |lan: &Lan| send_burst(lan, from, &sent, burst);
        let (expected, found) = (what(&reference), what(&subject));
        arrived += found.iter().map(Vec::len).sum::<usize>();
        for port in 0..PORTS {
            same(&expected[port], &found[port], &|| {
                format!("burst {burst} from station {from}, at station {port}\n{}", subject.dump())
            });
        }
        if burst % 25 == 24 {
            same_tables(&reference, &subject);
            if random.once_in(4) {
                reference.flush();
                subject.flush();
            }
        }
    }
    same_tables(&reference, &subject);
    subject.counters();
    // About half of the frames are known unicast, and each flooded one arrives several times.
    assert!(arrived > frames, "{arrived} arrivals of {frames} frames are too few to have compared anything");
    println!("{frames} frames, {arrived} arrivals, all the same");
}

fn stay_on_one_cpu() {
    let mut cpus = CpuSet::new();
    cpus.set(0).unwrap();
    sched_setaffinity(Pid::from_raw(0), &cpus).unwrap();
}

fn lan<'a>(sandbox: &'a Sandbox, kind: Kind, name: &str, prefix: char) -> Lan<'a> {
    let mut lan = Lan::empty(sandbox, kind, name, prefix);
    for port in 0..PORTS {
        lan.add(&["--mtu", if port == JUMBO { "9000" } else { "1500" }]);
    }
    lan
}

/// Four addresses per station: that of its interface, and three behind it.
fn address(port: usize, number: usize) -> MacAddr {
    station(u16::try_from(0x100 * number + port + 1).unwrap())
}

fn any_frame(random: &mut Random, from: usize, devices: &[MacAddr], number: usize) -> Frame {
    let number = u32::try_from(number).unwrap();
    let source = match random.below(100) {
        // Somebody else's address: the station has moved.
        0..4 => address(random.below(PORTS), random.below(4)),
        4 => MacAddr::ZERO,
        5 => MULTICAST,
        6 => MacAddr::BROADCAST,
        7 => *random.pick(devices),
        _ => address(from, random.below(4)),
    };
    let destination = match random.below(100) {
        0..8 => MacAddr::BROADCAST,
        8..14 => MULTICAST,
        14..20 => MacAddr::new([0x01, 0x80, 0xc2, 0, 0, random.number().to_le_bytes()[0] % 20]),
        20..30 => station(0x7f0 + u16::from(random.number().to_le_bytes()[0] % 16)),
        30..38 => address(from, random.below(4)),
        38..42 => *random.pick(devices),
        42 => MacAddr::ZERO,
        _ => address(random.below(PORTS), random.below(4)),
    };
    let mut frame = Frame::new(source, destination).sequence(number);
    let vlan = |random: &mut Random| u16::try_from(random.below(0x1_0000)).unwrap();
    frame = match random.below(10) {
        0 => frame.tagged(CTAG, vlan(random)),
        1 => frame.tagged(CTAG, vlan(random) & 0xe000),
        2 => frame.tagged(STAG, vlan(random)),
        3 => frame.tagged(STAG, vlan(random)).tagged(CTAG, vlan(random)),
        // A tag may be cut short, or begin where there is nothing more.
        4 if random.once_in(4) => frame.ethertype(*random.pick(&[CTAG, STAG])),
        _ => frame,
    };
    let edge = if from == JUMBO { 1508 } else { 1500 };
    frame.payload(match random.below(10) {
        0..3 => random.below(50),
        3..6 => edge - random.below(20),
        6 if from == JUMBO => 9000 - random.below(8),
        _ => 4 + random.below(edge - 4),
    })
}

/// Sends the burst and gives what each station got.
fn send_burst(lan: &Lan, from: usize, frames: &[Frame], burst: usize) -> Vec<Vec<Bytes>> {
    let mut refused = 0;
    for frame in frames {
        // The kernel does not even send what is too long for the station itself.
        refused += usize::from(lan.stations[from].wire.send(&frame.build()).is_err());
    }
    assert!(refused < frames.len() / 2, "{refused} of {} frames were not sent", frames.len());
    let other = (from + 1) % PORTS;
    let number = u32::try_from(burst).unwrap();
    let marks = [from, other].map(|sender| {
        let source = station(0x7e00 + u16::try_from(sender).unwrap());
        let mark = Frame::broadcast(source).ethertype(MARKER).sequence(number).build();
        lan.stations[sender].wire.send(&mark).expect("send the marker");
        (sender, mark)
    });
    let mut missing: Vec<Vec<&Bytes>> = (0..PORTS)
        .map(|port| marks.iter().filter(|(sender, _)| *sender != port).map(|(_, mark)| mark).collect())
        .collect();
    let wires: Vec<&Port> = lan.stations.iter().map(|station| &station.wire).collect();
    let mut got = vec![Vec::new(); PORTS];
    let deadline = Instant::now() + Duration::from_secs(5);
    while missing.iter().any(|marks| !marks.is_empty()) {
        assert!(
            wait_any(&wires, deadline).unwrap() > 0,
            "burst {burst} from {from}: a marker is missing: {missing:02x?}\n{}",
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

fn same(expected: &[Bytes], found: &[Bytes], what: &dyn Fn() -> String) {
    let (mut expected, mut found) = (by_flow(expected), by_flow(found));
    let flows: Vec<&[u8]> = expected.keys().chain(found.keys()).copied().collect();
    for flow in flows {
        let expected = expected.remove(flow).unwrap_or_default();
        let found = found.remove(flow).unwrap_or_default();
        if expected != found {
            let first = expected.iter().zip(&found).position(|(one, other)| one != other);
            let first = first.unwrap_or(expected.len().min(found.len()));
            let head = |frames: &VecDeque<&Bytes>| {
                let frame = frames.get(first);
                frame.map(|frame| format!("{} bytes {:02x?}", frame.len(), &frame[..frame.len().min(32)]))
            };
            panic!(
                "{}\nflow {flow:02x?}: {} frames on the bridge, {} on the switch; the first difference is frame {first}:\n\
                 bridge {:?}\nswitch {:?}",
                what(),
                expected.len(),
                found.len(),
                head(&expected),
                head(&found),
            );
        }
    }
}

/// Both have learned the same addresses on the same ports.
fn same_tables(reference: &Lan, subject: &Lan) {
    let table = |lan: &Lan| -> Vec<(String, String)> {
        lan.learned().into_iter().map(|(mac, port)| (mac, port[1..].to_owned())).collect()
    };
    assert_eq!(table(reference), table(subject), "bridge on the left\n{}", subject.dump());
}

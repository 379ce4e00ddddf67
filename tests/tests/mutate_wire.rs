//! Frames as no honest station sends them, over real wires: what arrives at whom. The sequel to `mutate.rs`, whose
//! `VSWITCH_MUTATIONS` and `VSWITCH_SEED` hold here as well; a fiftieth of the frames goes this way.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::collections::HashSet;

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    cpu::stay_on,
    device::sent_by_kernel,
    differential::barrier::{Barrier, CHUNK},
    frame::{HEADER, station},
    iproute::ip,
    mutate::{Mutator, Neighbourhood, mutations},
    port::{Offload, Port},
    random::Random,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

/// Over real wires: nothing comes back, nothing arrives that was not sent, and nothing arrives elsewhere.
#[test]
fn whatever_the_bytes_are_on_the_wire() {
    let sandbox = Sandbox::enter().unwrap();
    let wires = Wires::new(&sandbox);
    let mut random = Random::from_environment();
    let mut mutator = Mutator::new(random.child());
    let (total, mut tried, mut arrived) = (mutations() / 50, 0, 0);
    while tried < total {
        let from = random.below(wires.lan.stations.len());
        let neighbourhood = wires.neighbourhood(from);
        let before = wires.lan.counters().unwrap()[wires.lan.port(from)].rx_frames;
        let (mut sent, mut seen) = (HashSet::new(), 0);
        for number in 0..500 {
            mutator.next(&neighbourhood);
            tried += 1;
            match wires.lan.stations[from].wire.send(&mutator.frame) {
                Ok(()) => {
                    seen += u64::from(!is_half_a_tag(&mutator.frame));
                    sent.insert(mutator.frame.clone());
                }
                Err(error) => {
                    // Shorter than a header, or longer than the station's own interface carries.
                    let length = mutator.frame.len();
                    let is_known = matches!(error.raw_os_error(), Some(libc::EINVAL)) && length < HEADER
                        || matches!(error.raw_os_error(), Some(libc::EMSGSIZE)) && length > 1514;
                    assert!(is_known, "{error} for {length} bytes");
                }
            }
            if number % CHUNK == CHUNK - 1 {
                wires.barrier.wait();
            }
        }
        arrived += wires.collect(from, &|frame| sent.contains(frame));
        let after = wires.lan.counters().unwrap();
        assert_eq!(after[wires.lan.port(from)].rx_frames - before, seen, "{after:?}");
    }
    println!("{tried} frames, {arrived} arrived");
    assert!(arrived > total / 4, "{arrived} arrivals of {tried} frames");
}

/// Giant frames that stand for many segments, and lie about them.
#[test]
fn whatever_an_aggregate_says() {
    let sandbox = Sandbox::enter().unwrap();
    let wires = Wires::new(&sandbox);
    let mut random = Random::from_environment();
    let senders: Vec<Port> = wires
        .lan
        .stations
        .iter()
        .map(|station| Port::open_offload(&station.namespace, "eth0").unwrap())
        .collect();
    let (total, mut sent, mut arrived) = (mutations() / 500, 0, 0);
    for _ in 0..total / 10 {
        let from = random.below(senders.len());
        let neighbourhood = wires.neighbourhood(from);
        for _ in 0..10 {
            let frame = aggregate(&mut random, &neighbourhood);
            let offload = Offload {
                flags: u8::from(!random.once_in(8)),
                gso_type: *random.pick(&[1, 1, 1, 1, 1, 1, 3, 4, 5, 0x81, 0]),
                header_length: lie(&mut random, 54),
                gso_size: lie(&mut random, 1448),
                checksum_start: lie(&mut random, 34),
                checksum_offset: lie(&mut random, 16),
            };
            // The kernel sees through some of the lies.
            sent += u64::from(senders[from].send_offload(offload, &frame).is_ok());
        }
        wires.barrier.wait();
        let stations: Vec<MacAddr> = neighbourhood.far.iter().chain(&neighbourhood.near).copied().collect();
        arrived += wires.collect(from, &|frame| {
            // Segments or the whole: the bytes are the sender's business, the addresses are not.
            frame.get(6..12).is_some_and(|source| stations.iter().any(|mac| mac.octets() == source))
        });
        wires.lan.counters().unwrap();
    }
    println!("{sent} aggregates of {total} were sent, {arrived} frames arrived");
    assert!(sent > total / 20 && arrived > total / 20, "{sent} sent, {arrived} arrived");
}

/// The right number most of the time.
fn lie(random: &mut Random, right: u16) -> u16 {
    match random.below(40) {
        0 => 0,
        1 => 1,
        2 => u16::MAX,
        3 => random.number().to_le_bytes()[0].into(),
        4 => right.wrapping_add(u16::from(random.number().to_le_bytes()[0])),
        _ => right,
    }
}

/// TCP over IPv4, up to 64 KiB.
fn aggregate(random: &mut Random, neighbourhood: &Neighbourhood) -> Vec<u8> {
    let payload = match random.below(4) {
        0 => 65_000,
        1 => random.below(65_000),
        _ => random.below(8000),
    };
    let mut frame = Vec::with_capacity(66_000);
    let destination = if random.once_in(16) { MacAddr::BROADCAST } else { *random.pick(&neighbourhood.far) };
    frame.extend(destination.octets());
    frame.extend(random.pick(&neighbourhood.near).octets());
    frame.extend([8, 0, 0x45, 0]);
    frame.extend(u16::try_from(40 + payload).unwrap_or(u16::MAX).to_be_bytes());
    frame.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    frame.extend([0x13, 0x88, 0x13, 0x89, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    frame.resize(54 + payload, 0x5a);
    if random.once_in(8) {
        frame.truncate(random.below(frame.len() + 1));
    }
    frame
}

/// The kernel takes an outer tag out of the frame before any program sees it, and drops what is too short for that.
fn is_half_a_tag(frame: &[u8]) -> bool {
    matches!(frame.get(12..14), Some([0x81, 0] | [0x88, 0xa8])) && frame.len() < HEADER + 6
}

/// Stations that listen, on the switch and beside it.
struct Wires<'a> {
    lan: Lan<'a>,
    elsewhere: Lan<'a>,
    barrier: Barrier,
}

impl<'a> Wires<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        let lan = Lan::new(sandbox, Kind::Vswitch, 4);
        let mut elsewhere = Lan::empty(sandbox, Kind::Vswitch, "other", 'z');
        elsewhere.add(&[]);
        ip(&["link", "add", "nobody", "up", "type", "veth", "peer", "name", "nobody2"]);
        ip(&["link", "set", "nobody2", "up"]);
        stay_on(0);
        let barrier = Barrier::new(sandbox);
        lan.introduce();
        Self { lan, elsewhere, barrier }
    }

    fn neighbourhood(&self, from: usize) -> Neighbourhood {
        Neighbourhood {
            near: vec![self.lan.mac(from), station(0x700 + u16::try_from(from).unwrap())],
            far: self.lan.others(from).into_iter().map(|other| self.lan.mac(other)).collect(),
            devices: (0..self.lan.stations.len()).map(|port| self.lan.port_mac(port)).collect(),
        }
    }

    /// Takes what arrived: how much.
    fn collect(&self, from: usize, is_sent: &dyn Fn(&[u8]) -> bool) -> u64 {
        let mut arrived = 0;
        for (at, station) in self.lan.stations.iter().enumerate() {
            while let Some(frame) = station.wire.try_receive().unwrap() {
                let head = &frame[..frame.len().min(64)];
                assert!(at != from, "{head:02x?} came back to station {at}");
                assert!(is_sent(&frame), "{head:02x?} arrived at {at}, and was not sent");
                arrived += 1;
            }
        }
        assert_eq!(
            self.elsewhere.stations[0].wire.try_receive().unwrap(),
            None,
            "another switch got a frame"
        );
        assert_eq!(sent_by_kernel("nobody"), 0, "a frame left by a device that is no port");
        arrived
    }
}

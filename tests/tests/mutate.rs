//! A million frames as no honest station sends them, and a hundred million when asked: whatever the bytes are, the switch
//! keeps its promises.
//!
//! `VSWITCH_MUTATIONS` sets how many frames, `VSWITCH_SEED` repeats a run.
//!
//! They go through `BPF_PROG_TEST_RUN`, one system call for each: the kernel's own way to run the program on bytes, which
//! neither delivers nor loses a frame on the way. Copies of floods do leave through the devices, and are counted by the
//! kernel as well; the last copy and what is forwarded to one port is only decided. What arrives at whom is seen in
//! `mutate_wire.rs`.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{fs, num::NonZero, thread, time::Instant};

use aya::maps::{HashMap, Map, MapData};
use nix::net::if_::if_nametoindex;
use vswitch_common::{
    addr::MacAddr,
    fdb::{FdbEntry, FdbKey},
};
use vswitch_tests::{
    cpu::stay_on,
    device::{self, sent_by_kernel},
    frame::{Frame, HEADER, station},
    iproute::ip,
    mutate::{Mutator, Neighbourhood, mutations},
    prog_run::{Context, Program, Verdict},
    random::Random,
    sandbox::Sandbox,
    state::{self, Snapshot},
    vswitch::Cli,
};

const PROGRAM: &str = "/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc";
const FDB: &str = "/sys/fs/bpf/vswitch/v1/lab/maps/FDB";
const PORTS: [&str; 4] = ["p1", "p2", "p3", "p4"];
/// Devices that are there, and no ports of the switch: one of nobody's, and one of another switch.
const BYSTANDERS: [&str; 2] = ["nobody", "q1"];
/// Addresses behind each port.
const ADDRESSES: u16 = 4;

/// What is changed for a round of frames, at one port; `RESET` takes it all back.
const SETTINGS: [&str; 12] = [
    "learning=off",
    "flood=off",
    "mcast-flood=off",
    "bcast-flood=off",
    "isolated=on",
    "locked=on",
    "hairpin=on",
    "state=learning",
    "state=blocking",
    "state=disabled",
    "redirect=dev",
    "flood=on",
];
const RESET: [&str; 9] = [
    "learning=on",
    "flood=on",
    "mcast-flood=on",
    "bcast-flood=on",
    "isolated=off",
    "locked=off",
    "hairpin=off",
    "state=forwarding",
    "redirect=peer",
];

/// How often each verdict was given.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    host: u64,
    dropped: u64,
    redirected: u64,
    /// Frames that are too short for a test-run.
    refused: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.host += other.host;
        self.dropped += other.dropped;
        self.redirected += other.redirected;
        self.refused += other.refused;
    }

    fn seen(&self) -> u64 {
        self.host + self.dropped + self.redirected
    }
}

fn address(port: usize, number: u16) -> MacAddr {
    station(0x100 * number + u16::try_from(port).unwrap() + 1)
}

/// A switch that nobody listens to, so that copies of floods cost as little as they can.
struct Lab {
    _sandbox: Sandbox,
    cli: Cli,
    devices: Vec<MacAddr>,
}

impl Lab {
    fn new() -> Self {
        let sandbox = Sandbox::enter().unwrap();
        device::no_ipv6();
        let cli = Cli::find();
        for (switch, ports) in [("lab", &PORTS[..]), ("other", &BYSTANDERS[1..])] {
            cli.ok(&["switch", "add", switch]);
            for port in ports {
                sandbox.netns(port).unwrap().run(device::no_ipv6).unwrap();
                cli.ok(&["port", "add", switch, port, "--netns", port]);
            }
        }
        ip(&["link", "add", "nobody", "up", "type", "veth", "peer", "name", "nobody2"]);
        ip(&["link", "set", "nobody2", "up"]);
        for port in PORTS {
            // The first address is that of the peer itself, which frames may reach without the port's device.
            let mac = address(PORTS.iter().position(|name| *name == port).unwrap(), 0).to_string();
            ip(&["-n", port, "link", "set", "eth0", "address", &mac, "arp", "off"]);
        }
        let devices = PORTS
            .map(|port| fs::read_to_string(format!("/sys/class/net/{port}/address")).unwrap())
            .map(|mac| mac.trim().parse().unwrap())
            .to_vec();
        Self { _sandbox: sandbox, cli, devices }
    }

    fn counters(&self) -> Snapshot {
        state::counters(&self.cli, "lab")
    }

    /// Which of a port's knobs are turned for the next round; whether frames may go back to where they came from.
    fn turn_knobs(&self, random: &mut Random, ingress: usize) -> bool {
        for port in PORTS {
            self.cli.ok(&[&["port", "set", "lab", port], &RESET[..]].concat());
        }
        let mut goes_back = false;
        for _ in 0..random.below(4) {
            let (port, setting) = (random.below(PORTS.len()), *random.pick(&SETTINGS));
            self.cli.ok(&["port", "set", "lab", PORTS[port], setting]);
            goes_back |= port == ingress && setting == "hairpin=on";
        }
        let mask = *random.pick(&["0", "0x4000", "0xfff8"]);
        self.cli.ok(&["switch", "set", "lab", &format!("group-fwd-mask={mask}")]);
        goes_back
    }

    /// Nobody but stations is in the FDB.
    fn check_fdb(&self) {
        let map = Map::HashMap(MapData::from_pin(FDB).unwrap());
        let fdb: HashMap<_, FdbKey, FdbEntry> = map.try_into().unwrap();
        for row in fdb.iter() {
            let (key, entry) = row.unwrap();
            assert!(key.mac().is_station(), "{key:?} is no station, and in the FDB: {entry:?}");
        }
    }
}

/// Frames that come in by one port.
struct Stream<'a> {
    program: &'a Program,
    devices: &'a [MacAddr],
    ingress: usize,
    ifindex: [u32; PORTS.len()],
}

impl Stream<'_> {
    /// Runs that many of them.
    fn run(&self, random: Random, frames: u64) -> Tally {
        let addresses = |port| (0..ADDRESSES).map(move |number| address(port, number));
        let far = (0..PORTS.len()).filter(|port| *port != self.ingress);
        let neighbourhood = Neighbourhood {
            near: addresses(self.ingress).collect(),
            far: far.clone().flat_map(addresses).collect(),
            devices: self.devices.to_vec(),
        };
        let ifindex = self.ifindex[self.ingress];
        let mut mutator = Mutator::new(random);
        let (mut tally, mut out) = (Tally::default(), Vec::new());
        for number in 0..frames {
            if number % 10_000 == 0 {
                // Some stations moved, by lies about the source.
                for port in far.clone() {
                    self.introduce(port, &mut tally, &mut out);
                }
            }
            mutator.next(&neighbourhood);
            let frame = &mutator.frame;
            let context = mutator.segments.map_or_else(
                || Context::ingress(ifindex),
                |segments| Context::gso(ifindex, segments.size, segments.count, segments.wire_length),
            );
            self.one(frame, &context, &mut tally, &mut out);
        }
        tally
    }

    /// Lets every station of a port say something to the host, so that it leaves by no port.
    fn introduce(&self, port: usize, tally: &mut Tally, out: &mut Vec<u8>) {
        for number in 0..ADDRESSES {
            let frame = Frame::new(address(port, number), self.devices[port]).build();
            self.one(&frame, &Context::ingress(self.ifindex[port]), tally, out);
        }
    }

    fn one(&self, frame: &[u8], context: &Context, tally: &mut Tally, out: &mut Vec<u8>) {
        match self.program.run(frame, context, out) {
            Ok(verdict) => {
                assert!(out == frame, "the frame {frame:02x?} was changed: {out:02x?}");
                match verdict {
                    Verdict::Host => tally.host += 1,
                    Verdict::Drop => tally.dropped += 1,
                    Verdict::Redirect => tally.redirected += 1,
                }
            }
            Err(error) => {
                let is_known = error.raw_os_error() == Some(libc::EINVAL) && is_too_short(frame);
                assert!(is_known, "{error} for {} bytes {frame:02x?}, {context:?}", frame.len());
                tally.refused += 1;
            }
        }
    }
}

/// What `bpf_prog_test_run_skb` refuses: less than an Ethernet header, and since Linux 6.18 less than the header of the IP
/// packet that the ethertype promises. The latter go over the wire only.
fn is_too_short(frame: &[u8]) -> bool {
    let least = match frame.get(12..HEADER) {
        None => return true,
        Some([0x08, 0x00]) => 20,
        Some([0x86, 0xdd]) => 40,
        Some(_) => 0,
    };
    frame.len() < HEADER + least
}

/// By the program alone.
#[test]
fn whatever_the_bytes_are() {
    let lab = Lab::new();
    let program = Program::pinned(PROGRAM).unwrap();
    let mut random = Random::from_environment();
    let cpus = thread::available_parallelism().map_or(1, NonZero::get);
    let ifindex = PORTS.map(|port| if_nametoindex(port).unwrap());
    let aside = BYSTANDERS.map(sent_by_kernel);
    let (total, start) = (mutations(), Instant::now());
    let round = (total / 200).clamp(50_000, 500_000);
    let (mut all, mut rounds) = (Tally::default(), 0);
    while all.seen() + all.refused < total {
        let ingress = random.below(PORTS.len());
        let goes_back = lab.turn_knobs(&mut random, ingress);
        let before = lab.counters();
        let left_before = PORTS.map(sent_by_kernel);
        let stream = Stream { program: &program, devices: &lab.devices, ingress, ifindex };
        let parts: Vec<Random> = (0..cpus).map(|_| random.child()).collect();
        let tally = thread::scope(|scope| {
            let threads: Vec<_> = parts
                .into_iter()
                .enumerate()
                .map(|(cpu, random)| {
                    let (stream, share) = (&stream, round / u64::try_from(cpus).unwrap());
                    scope.spawn(move || {
                        stay_on(cpu);
                        stream.run(random, share)
                    })
                })
                .collect();
            let mut tally = Tally::default();
            threads.into_iter().for_each(|thread| tally.add(thread.join().expect("a thread of frames")));
            tally
        });
        let left = left_by_kernel(left_before);
        check_counters(&before, &lab.counters(), &tally, left.iter().sum());
        if !goes_back {
            let port = PORTS[ingress];
            let back = lab.counters()[port].tx_frames - before[port].tx_frames;
            assert!(back == 0 && left[ingress] == 0, "{back} frames went back to {port}: {left:?}");
        }
        assert_eq!(BYSTANDERS.map(sent_by_kernel), aside, "a frame left by a device that is no port");
        lab.check_fdb();
        all.add(tally);
        rounds += 1;
    }
    let other = state::counters(&lab.cli, "other");
    assert!(other.values().all(|port| port.rx_frames + port.tx_frames == 0), "{other:?}");
    let seconds = start.elapsed().as_secs_f64();
    println!("{all:?} in {rounds} rounds, {seconds:.0} s");
    for (what, count) in
        [("host", all.host), ("drop", all.dropped), ("redirect", all.redirected), ("refused", all.refused)]
    {
        assert!(count > total / 200, "{count} times {what} is too seldom: {all:?}");
    }
}

/// What left by each device since then, by the kernel's count.
fn left_by_kernel(before: [u64; PORTS.len()]) -> [u64; PORTS.len()] {
    let mut left = PORTS.map(sent_by_kernel);
    for (after, before) in left.iter_mut().zip(before) {
        *after -= before;
    }
    left
}

/// Each frame was counted once, for the verdict that was given, and each copy that left was counted by the kernel as well.
fn check_counters(before: &Snapshot, after: &Snapshot, tally: &Tally, left: u64) {
    let sum = |of: &dyn Fn(&state::Counters) -> u64| -> u64 {
        after.values().map(of).sum::<u64>() - before.values().map(of).sum::<u64>()
    };
    let found = [
        ("received", sum(&|port| port.rx_frames), tally.seen()),
        ("to the host", sum(&|port| port.local), tally.host),
        ("dropped", sum(&|port| port.drops.values().sum()), tally.dropped),
        ("sent on", sum(&|port| port.forwarded + port.flooded), tally.redirected),
        // The last copy, or the only one, is decided by the program and not sent by a test-run.
        ("sent", sum(&|port| port.tx_frames), tally.redirected + left),
    ];
    for (what, counted, expected) in found {
        assert_eq!(
            counted, expected,
            "{what}: {tally:?}, {left} copies left\nbefore {before:?}\nafter {after:?}"
        );
    }
}

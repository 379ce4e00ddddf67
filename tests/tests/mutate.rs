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
    vlan::MAX_VID,
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
const SETTINGS: [&str; 24] = [
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
    "proxy-arp=on",
    "proxy-arp-wifi=on",
    "neigh-suppress=on",
    "group-fwd-mask=0xffff",
    "backup-port=p1",
    "backup-port=p2",
    "backup-port=p3",
    "storm-broadcast=1kpps",
    "storm-multicast=1mbit",
    "storm-unknown=10pps",
    "police-in=10kpps",
    "police-out=1mbit",
];
/// Those that make the switch answer questions.
const ANSWERING: [&str; 3] = ["proxy-arp=on", "proxy-arp-wifi=on", "neigh-suppress=on"];
const VLANS: [&str; 5] =
    ["access=1", "access=5", "trunk=2-200 native=1", "trunk=all pvid=none", "trunk=none native=1"];
const RESET: [&str; 19] = [
    "learning=on",
    "flood=on",
    "mcast-flood=on",
    "bcast-flood=on",
    "isolated=off",
    "locked=off",
    "hairpin=off",
    "state=forwarding",
    "redirect=peer",
    "proxy-arp=off",
    "proxy-arp-wifi=off",
    "neigh-suppress=off",
    "group-fwd-mask=0",
    "backup-port=none",
    "storm-broadcast=off",
    "storm-multicast=off",
    "storm-unknown=off",
    "police-in=off",
    "police-out=off",
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

/// What may happen to a frame in a round.
#[derive(Clone, Copy, Debug)]
struct Round {
    /// It may leave by the port by which it came.
    goes_back: bool,
    /// Its outer tag may change.
    retags: bool,
    /// It may be turned into the answer to itself.
    answers: bool,
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
        for host in 0..4_u16 {
            // Who the mutated questions ask for.
            let mac = address(usize::from(host), 0).to_string();
            for ip in [format!("10.0.0.{host}"), format!("fe80::{host}")] {
                cli.ok(&["neigh", "add", "lab", &ip, &mac]);
            }
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

    /// Turns knobs for the next round.
    fn turn_knobs(&self, random: &mut Random, ingress: usize) -> Round {
        let retags = random.once_in(3);
        for port in PORTS {
            let vlans = if retags { *random.pick(&VLANS) } else { VLANS[0] };
            let vlans: Vec<&str> = vlans.split(' ').collect();
            self.cli.ok(&[&["port", "set", "lab", port], &RESET[..], &vlans].concat());
        }
        let (mut goes_back, mut answers) = (false, false);
        for _ in 0..random.below(4) {
            let (port, setting) = (random.below(PORTS.len()), *random.pick(&SETTINGS));
            // A port cannot be its own backup.
            if setting.strip_prefix("backup-port=") == Some(PORTS[port]) {
                continue;
            }
            self.cli.ok(&["port", "set", "lab", PORTS[port], setting]);
            goes_back |= port == ingress && setting == "hairpin=on";
            answers |= ANSWERING.contains(&setting);
        }
        let filtering = if retags { "vlan-filtering=on" } else { "vlan-filtering=off" };
        let others = [
            random.pick(&["vlan-protocol=802.1q", "vlan-protocol=802.1ad"]),
            random.pick(&["group-fwd-mask=0", "group-fwd-mask=0x4000", "group-fwd-mask=0xfff8"]),
            random.pick(&["linklocal-learn=on", "linklocal-learn=off"]),
        ];
        self.cli.ok(&[&["switch", "set", "lab", filtering], &others.map(|word| *word)[..]].concat());
        // There may be none yet.
        self.cli.run(&["mirror", "del", "lab", "m"]);
        let (port, probe) = (random.below(PORTS.len()), random.below(PORTS.len()));
        if port != probe {
            self.cli.ok(&["mirror", "add", "lab", "m", "--port", PORTS[port], "--to", PORTS[probe]]);
        }
        Round { goes_back, retags, answers }
    }
}

/// Nobody but stations is in the FDB.
fn check_fdb() {
    let map = Map::HashMap(MapData::from_pin(FDB).unwrap());
    let fdb: HashMap<_, FdbKey, FdbEntry> = map.try_into().unwrap();
    for row in &fdb {
        let (key, entry) = row.unwrap();
        assert!(key.mac().is_station(), "{key:?} is no station, and in the FDB: {entry:?}");
        assert!(key.vlan() <= MAX_VID, "{key:?} is of no VLAN, and in the FDB: {entry:?}");
    }
}

/// Frames that come in by one port.
struct Stream<'a> {
    program: &'a Program,
    devices: &'a [MacAddr],
    ingress: usize,
    ifindex: [u32; PORTS.len()],
    round: Round,
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
                let is_whole = if self.round.retags { differs_in_tags(frame, out) } else { out == frame };
                let is_answer = self.round.answers && verdict == Verdict::Redirect && is_answer(out);
                assert!(
                    is_whole || is_answer,
                    "{verdict:?}, {:?}: {frame:02x?} was changed: {out:02x?}",
                    self.round
                );
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

/// Whether two frames differ in no more than their first two tags: the kernel takes the second one out of the frame, and keeps
/// it beside it, when the first one goes.
fn differs_in_tags(one: &[u8], other: &[u8]) -> bool {
    let rest = one.len().min(other.len()).saturating_sub(12 + 8);
    one[..12] == other[..12]
        && one.len().abs_diff(other.len()) <= 8
        && one[one.len() - rest..] == other[other.len() - rest..]
}

/// An ARP reply, or a neighbour advertisement with its one option, and nothing behind it.
fn is_answer(frame: &[u8]) -> bool {
    match frame.get(12..HEADER) {
        Some([0x08, 0x06]) => frame.len() == 42 && frame[20..22] == [0, 2],
        Some([0x86, 0xdd]) => frame.len() == 86 && frame[54] == 136,
        Some(_) | None => false,
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
        let knobs = lab.turn_knobs(&mut random, ingress);
        let before = lab.counters();
        let left_before = PORTS.map(sent_by_kernel);
        let stream = Stream { program: &program, devices: &lab.devices, ingress, ifindex, round: knobs };
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
            for thread in threads {
                tally.add(thread.join().expect("a thread of frames"));
            }
            tally
        });
        let left = left_by_kernel(left_before);
        check_counters(&before, &lab.counters(), &tally, left.iter().sum());
        if !knobs.goes_back {
            let port = PORTS[ingress];
            // But for answers to who asked.
            let answered = |snapshot: &Snapshot| snapshot[port].answered;
            let after = lab.counters();
            let back =
                after[port].tx_frames - before[port].tx_frames - (answered(&after) - answered(&before));
            let copies = after[port].mirrored - before[port].mirrored;
            assert!(back == 0 && left[ingress] == copies, "{back} frames went back to {port}: {left:?}");
        }
        assert_eq!(BYSTANDERS.map(sent_by_kernel), aside, "a frame left by a device that is no port");
        check_fdb();
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
    let story = || format!("{tally:?}, {left} copies left\nbefore {before:?}\nafter {after:?}");
    // A flood whose last copy the kernel could not retag, because the tag is half a one, is dropped and yet a flood.
    let refused = sum(&|port| port.tx_drops.get("device-down").copied().unwrap_or(0));
    let half = tally.dropped.wrapping_sub(sum(&|port| port.drops.values().sum()));
    assert!(half <= refused, "{half} frames were dropped and not counted\n{}", story());
    let found = [
        ("received", sum(&|port| port.rx_frames), tally.seen()),
        ("to the host", sum(&|port| port.local), tally.host),
        ("sent on", sum(&|port| port.forwarded + port.flooded + port.answered), tally.redirected + half),
        // The last copy, or the only one, is decided by the program and not sent by a test-run.
        ("sent", sum(&|port| port.tx_frames + port.mirrored), tally.redirected + left),
    ];
    for (what, counted, expected) in found {
        assert_eq!(counted, expected, "{what}: {}", story());
    }
}

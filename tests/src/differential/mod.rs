//! The same random frames, and the same random changes, for a Linux bridge and for the switch: every station must get
//! the same bytes, and both must know the same addresses.
//!
//! Frames are sent in bursts from one station; between bursts knobs are turned ([`knobs::KNOBS`], the one table to
//! extend). The thread stays on one CPU, where the kernel keeps the order, and a [`barrier::Barrier`] tells when all
//! of a burst has arrived, whatever the knobs are.

pub mod barrier;
pub mod frames;
pub mod knobs;
pub mod report;

use std::fs;

use bytes::Bytes;
use vswitch_common::addr::MacAddr;

use crate::{
    cpu::stay_on,
    iproute::ip,
    random::Random,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};
use barrier::{Barrier, CHUNK};
use knobs::{Change, Link};

/// Stations on each side.
pub const PORTS: usize = 6;
/// The last station has jumbo frames, so that frames exist that are too long for the others.
pub const JUMBO: usize = PORTS - 1;
const BURST: usize = 200;
/// Bursts after which the FDBs are compared.
const BURSTS_PER_LOOK: usize = 10;

/// What a run does.
pub struct Plan<'a> {
    /// What is compared with the bridge.
    pub subject: Kind,
    /// How many frames are sent into each.
    pub frames: usize,
    /// Whether knobs are turned.
    pub turn_knobs: bool,
    /// What is done to the subject only, before anything else.
    pub prepare: &'a dyn Fn(&Lan),
    /// Whether the subject gets a change as well; all but in tests of the test.
    pub passes_on: &'a dyn Fn(&Change) -> bool,
}

impl Plan<'_> {
    /// Frames, and no changes.
    pub fn frames(subject: Kind, frames: usize) -> Self {
        Self { subject, frames, turn_knobs: false, prepare: &|_| {}, passes_on: &|_| true }
    }

    /// Frames, and changes between them.
    pub fn knobs(subject: Kind, frames: usize) -> Self {
        Self { turn_knobs: true, ..Self::frames(subject, frames) }
    }

    /// Runs it.
    ///
    /// # Panics
    /// At the first difference, with everything that was changed before.
    pub fn run(&self) {
        stay_on(0);
        let sandbox = Sandbox::enter().expect("sandbox");
        let mut pair = Pair::new(&sandbox, self.subject);
        (self.prepare)(&pair.subject);
        let mut random = Random::from_environment();
        let mut arrived = 0;
        for burst in 0..self.frames.div_ceil(BURST) {
            arrived += pair.burst(&mut random, burst);
            if burst % BURSTS_PER_LOOK == 0 {
                pair.look(burst);
            }
            if self.turn_knobs {
                for _ in 0..random.below(5) {
                    pair.change(&Change::any(&mut random), self.passes_on);
                }
            } else if random.once_in(100) {
                pair.reference.flush();
                pair.subject.flush();
            }
        }
        pair.look(self.frames / BURST);
        pair.subject.counters();
        // Each flooded frame arrives several times; knobs that are off stop half of all frames.
        let least = if self.turn_knobs { self.frames / 4 } else { self.frames };
        assert!(
            arrived > least,
            "{arrived} arrivals of {} frames are too few to have compared anything",
            self.frames
        );
        println!("{} frames, {} changes, {arrived} arrivals, all the same", self.frames, pair.changes.len());
    }
}

/// Both sides.
struct Pair<'a> {
    reference: Lan<'a>,
    subject: Lan<'a>,
    barrier: Barrier,
    /// Addresses of the ports' own devices: the same on both sides.
    devices: Vec<MacAddr>,
    is_up: [bool; PORTS],
    /// Everything that was changed.
    changes: Vec<String>,
}

impl<'a> Pair<'a> {
    fn new(sandbox: &'a Sandbox, kind: Kind) -> Self {
        let reference = lan(sandbox, Kind::Bridge, "reference", 'a');
        let subject = lan(sandbox, kind, "subject", 'b');
        let devices: Vec<MacAddr> = (0..PORTS).map(|port| subject.port_mac(port)).collect();
        for (port, mac) in devices.iter().enumerate() {
            // To the device of a port is to the host, so both must have the same devices.
            ip(&["link", "set", reference.port(port), "address", &mac.to_string()]);
        }
        let barrier = Barrier::new(sandbox);
        for lan in [&reference, &subject] {
            neighbours(lan);
        }
        Self { reference, subject, barrier, devices, is_up: [true; PORTS], changes: Vec::new() }
    }

    /// Sends the same frames on both sides; how many arrived.
    fn burst(&self, random: &mut Random, burst: usize) -> usize {
        let up: Vec<usize> = (0..PORTS).filter(|port| self.is_up[*port]).collect();
        let from = *random.pick(&up);
        let sent: Vec<Bytes> =
            (0..BURST).map(|number| frames::any_frame(random, from, &self.devices, number)).collect();
        let (expected, found) =
            (self.send(&self.reference, from, &sent), self.send(&self.subject, from, &sent));
        for port in 0..PORTS {
            report::same_frames(&expected[port], &found[port], &|| {
                format!("burst {burst} from station {}, at station {}\n{}", from + 1, port + 1, self.story())
            });
        }
        found.iter().map(Vec::len).sum()
    }

    /// Sends frames on one side and gives what each station got.
    fn send(&self, lan: &Lan, from: usize, frames: &[Bytes]) -> Vec<Vec<Bytes>> {
        let mut refused = 0;
        for chunk in frames.chunks(CHUNK) {
            for frame in chunk {
                // The kernel does not even send what is too long for the station itself.
                refused += usize::from(lan.stations[from].wire.send(frame).is_err());
            }
            self.barrier.wait();
        }
        assert!(refused < frames.len() / 2, "{refused} of {} frames were not sent", frames.len());
        let wires = lan.stations.iter().map(|station| &station.wire);
        wires
            .map(|wire| {
                let mut got = Vec::new();
                // An interface that went down is said once, as an error of the socket.
                while let Some(frame) = wire.try_receive().unwrap_or(None) {
                    got.push(frame);
                }
                got
            })
            .collect()
    }

    /// Makes a change on both sides, and waits until the links are as they are going to be.
    fn change(&mut self, change: &Change, passes_on: &dyn Fn(&Change) -> bool) {
        let is_up = self.is_up[change.port];
        let makes_sense = match change.link() {
            Link::Down => is_up && self.is_up.iter().filter(|up| **up).count() > 2,
            Link::Up => !is_up,
            // The state of a port that is down cannot be set on a bridge.
            Link::Bounces | Link::Stays => is_up,
        };
        if !makes_sense {
            return;
        }
        self.changes.push(change.to_string());
        let expected = change.apply(&self.reference);
        let found = if passes_on(change) { change.apply(&self.subject) } else { expected.clone() };
        assert!(
            expected.is_ok() == found.is_ok(),
            "`{change}`: the bridge says {expected:?}, the switch {found:?}\n{}",
            self.story()
        );
        match change.link() {
            Link::Stays => {}
            Link::Down => self.is_up[change.port] = false,
            Link::Up | Link::Bounces => {
                self.is_up[change.port] = true;
                for lan in [&self.reference, &self.subject] {
                    lan.until_up(change.port);
                }
            }
        }
    }

    /// Compares what both know.
    fn look(&self, burst: usize) {
        report::same_addresses(&self.reference, &self.subject, &|| {
            format!("burst {burst}\n{}", self.story())
        });
    }

    /// All that led here.
    fn story(&self) -> String {
        let changes = self.changes.iter().enumerate();
        let changes: Vec<String> =
            changes.map(|(number, change)| format!("{:>4} {change}", number + 1)).collect();
        let changes = changes.join("\n");
        format!("changes:\n{changes}\n{}\n--- bridge\n{}", self.subject.dump(), self.reference.dump())
    }
}

/// Tells one side who has the IP addresses; nothing comes of it before a knob is turned.
fn neighbours(lan: &Lan) {
    if lan.kind == Kind::Bridge {
        // They are those of the bridge's own interface, which must not say anything itself.
        ip(&["link", "set", &lan.name, "addrgenmode", "none"]);
        fs::write(format!("/proc/sys/net/ipv6/conf/{}/disable_ipv6", lan.name), "0").expect("IPv6");
    }
    for host in 1..=frames::HOSTS / 2 {
        let mac = frames::address(usize::from(host) % PORTS, usize::from(host) / PORTS).to_string();
        for address in [frames::v4(host).to_string(), frames::v6(host).to_string()] {
            match lan.kind {
                Kind::Vswitch => drop(lan.cli().ok(&["neigh", "add", &lan.name, &address, &mac])),
                Kind::Bridge => {
                    drop(ip(&[
                        "neigh",
                        "add",
                        &address,
                        "lladdr",
                        &mac,
                        "dev",
                        &lan.name,
                        "nud",
                        "permanent",
                    ]));
                }
            }
        }
    }
}

fn lan<'a>(sandbox: &'a Sandbox, kind: Kind, name: &str, prefix: char) -> Lan<'a> {
    let mut lan = Lan::empty(sandbox, kind, name, prefix);
    for port in 0..PORTS {
        lan.add(&["--mtu", if port == JUMBO { "9000" } else { "1500" }]);
    }
    // A bridge forgets when its garbage collector comes by; nothing is to expire during a run.
    lan.set_ageing(10_000);
    lan
}

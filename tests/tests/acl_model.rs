//! Thousands of random rules against the plain reading of the list: the same decision for each of many random packets, and
//! the same counters.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{fmt::Write as _, fs, net::IpAddr};

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use nix::net::if_::if_nametoindex;
use vswitch_tests::{
    packet::{Packet, TCP, UDP},
    random::Random,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

const RULES: usize = 4000;
const PACKETS: usize = 100_000;
/// `TCX_DROP` and `TCX_REDIRECT`.
const VERDICTS: [i32; 2] = [2, 7];

/// A prefix of IPv4: address and length.
type Prefix = (u32, u32);

/// A rule as this test understands it.
#[derive(Clone, Debug)]
struct Rule {
    denies: bool,
    vlan: Option<u16>,
    source: Option<Prefix>,
    destination: Option<Prefix>,
    protocol: Option<u8>,
    source_port: Option<u16>,
    destination_ports: Option<(u16, u16)>,
    flags: Option<(u8, u8)>,
    fragment: Option<bool>,
}

/// What this test knows of a packet.
#[derive(Clone, Copy, Debug)]
struct Facts {
    vlan: u16,
    source: u32,
    destination: u32,
    protocol: u8,
    ports: [u16; 2],
    flags: u8,
    is_later: bool,
}

/// Few addresses and ports, so that rules and packets meet.
fn address(random: &mut Random) -> u32 {
    let byte = |random: &mut Random, choices| u32::try_from(random.below(choices)).unwrap();
    10 << 24 | byte(random, 3) << 16 | byte(random, 4) << 8 | byte(random, 200)
}

fn port(random: &mut Random) -> u16 {
    u16::try_from(random.below(300)).unwrap()
}

impl Rule {
    /// The lengths of prefixes and the shapes of ranges are few, as in real lists: each combination of them is a look-up.
    fn random(random: &mut Random) -> Self {
        let prefix = |random: &mut Random, lengths: &[u32]| {
            let length = *random.pick(lengths);
            let address = address(random);
            (length != 0).then(|| (address >> (32 - length) << (32 - length), length))
        };
        let mut rule = Self {
            denies: random.once_in(2),
            vlan: None,
            source: prefix(random, &[0, 16, 24, 32, 32]),
            destination: prefix(random, &[0, 14, 32, 32]),
            protocol: (!random.once_in(3)).then(|| *random.pick(&[TCP, UDP])),
            source_port: None,
            destination_ports: None,
            flags: None,
            fragment: None,
        };
        let first = port(random);
        rule.destination_ports = match random.below(4) {
            0 => Some((first, first)),
            1 => Some((first & !3, first | 3)),
            _ => None,
        };
        // What is said of many hosts is said of one port, or nothing would get beyond the first rules.
        let is_host = |prefix: Option<Prefix>| matches!(prefix, Some((_, 32)));
        if !is_host(rule.source) && !is_host(rule.destination) {
            rule.destination_ports = Some((first, first));
        }
        if random.once_in(10) {
            rule.source = None;
            rule.destination = Some((address(random), 32));
            rule.destination_ports = None;
            match random.below(5) {
                0 => rule.vlan = Some(u16::try_from(random.below(3)).unwrap()),
                1 => rule.source_port = Some(port(random)),
                2 => (rule.protocol, rule.flags) = (Some(TCP), Some((2, 0x12))),
                3 => rule.fragment = Some(true),
                _ => rule.destination_ports = Some((first, first + 6)),
            }
        }
        rule
    }

    /// The model: does the rule match?
    fn matches(&self, facts: &Facts) -> bool {
        let within = |prefix: Option<Prefix>, address: u32| {
            prefix.is_none_or(|(net, length)| address >> (32 - length) == net >> (32 - length))
        };
        let has_ports = !facts.is_later;
        self.vlan.is_none_or(|vlan| vlan == facts.vlan)
            && within(self.source, facts.source)
            && within(self.destination, facts.destination)
            && self.protocol.is_none_or(|protocol| protocol == facts.protocol)
            && self.source_port.is_none_or(|port| has_ports && port == facts.ports[0])
            && self
                .destination_ports
                .is_none_or(|(first, last)| has_ports && (first..=last).contains(&facts.ports[1]))
            && self
                .flags
                .is_none_or(|(set, of)| has_ports && facts.protocol == TCP && facts.flags & of == set)
            && self.fragment.is_none_or(|_| facts.is_later)
    }

    fn text(&self) -> String {
        let mut text = String::from(if self.denies { "deny" } else { "allow" });
        let mut word = |name: &str, value: Option<String>| {
            if let Some(value) = value {
                write!(text, " {name} {value}").unwrap();
            }
        };
        let prefix = |(net, length): Prefix| format!("{}/{length}", IpAddr::from(net.to_be_bytes()));
        word("vlan", self.vlan.map(|vlan| vlan.to_string()));
        word("src", self.source.map(prefix));
        word("dst", self.destination.map(prefix));
        word("proto", self.protocol.map(|protocol| protocol.to_string()));
        word("sport", self.source_port.map(|port| port.to_string()));
        word("dport", self.destination_ports.map(|(first, last)| format!("{first}-{last}")));
        word("flags", self.flags.map(|_| "syn/syn,ack".to_owned()));
        word("frag", self.fragment.map(|_| "later".to_owned()));
        text
    }
}

impl Facts {
    /// A packet near a rule, so that rules far down in the list are met as well.
    fn random(random: &mut Random, rules: &[Rule]) -> Self {
        let near = random.pick(rules).clone();
        let host = |random: &mut Random, prefix: Option<Prefix>| {
            let elsewhere = random.once_in(5);
            let any = address(random);
            match prefix {
                Some((net, 32)) if !elsewhere => net,
                Some((net, length)) if !elsewhere => net | (any & ((1 << (32 - length)) - 1)),
                _ => any,
            }
        };
        let protocol = near.protocol.unwrap_or_else(|| *random.pick(&[TCP, UDP]));
        let any = port(random);
        let last = random.once_in(2);
        Self {
            vlan: near.vlan.unwrap_or(u16::try_from(random.below(3)).unwrap()),
            source: host(random, near.source),
            destination: host(random, near.destination),
            protocol,
            ports: [
                near.source_port.unwrap_or_else(|| port(random)),
                near.destination_ports.map_or(any, |(first, end)| if last { end } else { first }),
            ],
            flags: if protocol == TCP { *random.pick(&[2, 0x12, 0x10]) } else { 0 },
            is_later: near.fragment.unwrap_or(random.once_in(40)),
        }
    }

    fn packet(&self, lan: &Lan<'_>) -> Packet {
        let addresses = [self.source, self.destination].map(|address| IpAddr::from(address.to_be_bytes()));
        let packet = Packet::new([lan.mac(0), lan.mac(1)], addresses);
        Packet {
            tags: if self.vlan == 0 { Vec::new() } else { vec![(0x8100, self.vlan)] },
            protocol: self.protocol,
            ports: self.ports,
            flags: self.flags,
            fragment: self.is_later.then_some((100, false)),
            ..packet
        }
    }
}

#[test]
fn the_search_is_the_list() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    lan.introduce();
    let mut random = Random::from_environment();
    let rules: Vec<Rule> = (0..RULES).map(|_| Rule::random(&mut random)).collect();
    let text = rules.iter().map(|rule| rule.text() + "\n").collect::<Vec<_>>().concat();
    fs::write("/run/rules", text).unwrap();
    lan.cli().ok(&["acl", "load", "lab", "-f", "/run/rules"]);
    let program = SchedClassifier::from_pin("/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc").unwrap();
    // struct __sk_buff up to and with `ifindex`, which is its eleventh word.
    let mut context = [0_u8; 44];
    context[40..].copy_from_slice(&if_nametoindex(lan.port(0)).unwrap().to_ne_bytes());
    let mut counters = vec![0_u64; RULES];
    let mut outcomes = [0_u64; 3];
    for _ in 0..PACKETS {
        let facts = Facts::random(&mut random, &rules);
        let bytes = facts.packet(&lan).build();
        let options =
            TestRunOptions { data_in: Some(&bytes), ctx_in: Some(&context), ..TestRunOptions::new() };
        let verdict = program.test_run(options).unwrap().return_value.cast_signed();
        let decided = rules.iter().position(|rule| rule.matches(&facts));
        let denies = decided.is_some_and(|place| rules[place].denies);
        assert_eq!(
            verdict,
            VERDICTS[usize::from(!denies)],
            "{facts:?}: {:?}",
            decided.map(|place| &rules[place])
        );
        outcomes[decided.map_or(2, |place| usize::from(rules[place].denies))] += 1;
        if let Some(place) = decided {
            counters[place] += 1;
        }
    }
    assert!(outcomes.iter().all(|count| *count > 500), "allowed, denied, undecided: {outcomes:?}");
    let told: Vec<u64> =
        lan.cli().rows(&["acl", "list", "lab"]).iter().map(|row| row["frames"].as_u64().unwrap()).collect();
    assert_eq!(told, counters);
    assert!(counters.iter().filter(|count| **count > 0).count() > RULES / 8);
}

//! The grammar of a rule.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use ipnet::IpNet;
use vswitch_common::{
    acl::{AclSpec, Direction, field},
    addr::MacAddr,
};

use super::{AclError, Action, Rule, direction};

const MAC: &str =
    "a MAC address such as `02:00:00:00:00:01`, with a mask such as `/ff:ff:ff:00:00:00` if need be";
const VLAN: &str = "a number from 0 (no VLAN) to 4094";
const ETHERTYPE: &str = "`arp`, `ipv4`, `ipv6`, or a number from 0x600 to 0xffff";
const PREFIX: &str = "an address or prefix such as `10.0.0.0/8` or `fd00::/64`";
const PROTOCOL: &str = "`tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, or a number from 0 to 255";
const PORTS: &str = "a port or range such as `22` or `1024-2047`";
const FLAGS: &str =
    "flags that are set, of which ones, such as `syn/syn,ack`, with `fin syn rst psh ack urg ece cwr none`";
const FRAGMENT: &str = "`first`, `later`, `any` or `no`";

const PROTOCOLS: [(&str, u8); 5] = [("tcp", 6), ("udp", 17), ("icmp", 1), ("icmpv6", 58), ("sctp", 132)];
const WITH_PORTS: [u8; 5] = [6, 17, 33, 132, 136];
const ETHERTYPES: [(&str, u16); 3] = [("arp", 0x0806), ("ipv4", 0x0800), ("ipv6", 0x86dd)];
const TCP_FLAGS: [&str; 8] = ["fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"];
const FRAGMENTS: [(&str, u8); 4] = [("no", 1), ("any", 2), ("first", 3), ("later", 4)];
/// Bits of an IPv6 prefix that an IPv4 address has before its own: `::ffff:0:0/96`.
const MAPPED: u8 = 96;

/// A rule that matches everything.
const ANY: AclSpec = AclSpec {
    source_mac: [MacAddr::ZERO; 2],
    destination_mac: [MacAddr::ZERO; 2],
    source: [0; 16],
    destination: [0; 16],
    fields: 0,
    counter: 0,
    slot: 0,
    source_ports: [0; 2],
    destination_ports: [0; 2],
    vlan: 0,
    ethertype: 0,
    protocol: 0,
    flags: [0; 2],
    fragment: 0,
    source_prefix: 0,
    destination_prefix: 0,
    action: 0,
    direction: 0,
};

impl Rule {
    /// Reads `[port P] [in|out] ACTION MATCH...`.
    pub fn parse(words: &[&str]) -> Result<Self, AclError> {
        let mut rule = Self { port: None, spec: ANY };
        let mut words = words.iter().copied();
        let action = loop {
            match words.next() {
                Some("port") if rule.port.is_none() => {
                    let name = words.next().unwrap_or("");
                    let refuse = |_| wrong("port", name, "the name of a port");
                    rule.port = Some(name.parse().map_err(refuse)?);
                }
                Some("in") => rule.spec.direction = Direction::In as u8,
                Some("out") => rule.spec.direction = Direction::Out as u8,
                other => break other.unwrap_or(""),
            }
        };
        rule.spec.action = match action {
            "allow" => Action::Allow,
            "deny" => Action::Deny,
            "count" => Action::Count,
            other => return Err(AclError::Action(other.to_owned())),
        } as u8;
        while let Some(word) = words.next() {
            rule.spec.take(word, &mut words)?;
        }
        rule.spec.check()?;
        Ok(rule)
    }
}

/// What is read from a word and its value.
trait Take {
    fn take<'a>(&mut self, word: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<(), AclError>;
    fn check(&self) -> Result<(), AclError>;
}

impl Take for AclSpec {
    fn take<'a>(&mut self, word: &'a str, rest: &mut impl Iterator<Item = &'a str>) -> Result<(), AclError> {
        let (bit, allowed) = match word {
            "any" => return Ok(()),
            "log" => {
                self.fields |= field::LOG;
                return Ok(());
            }
            "src-mac" => (field::SOURCE_MAC, MAC),
            "dst-mac" => (field::DESTINATION_MAC, MAC),
            "vlan" => (field::VLAN, VLAN),
            "ethertype" => (field::ETHERTYPE, ETHERTYPE),
            "src" => (field::SOURCE, PREFIX),
            "dst" => (field::DESTINATION, PREFIX),
            "proto" => (field::PROTOCOL, PROTOCOL),
            "sport" => (field::SOURCE_PORTS, PORTS),
            "dport" => (field::DESTINATION_PORTS, PORTS),
            "flags" => (field::FLAGS, FLAGS),
            "frag" => (field::FRAGMENT, FRAGMENT),
            other => return Err(AclError::Word(other.to_owned())),
        };
        if self.fields & bit != 0 {
            return Err(AclError::Twice(word.to_owned()));
        }
        self.fields |= bit;
        let value = rest.next().ok_or_else(|| AclError::Missing { word: word.to_owned(), allowed })?;
        let refuse = || wrong(word, value, allowed);
        match word {
            "src-mac" => self.source_mac = mac(value).ok_or_else(refuse)?,
            "dst-mac" => self.destination_mac = mac(value).ok_or_else(refuse)?,
            "vlan" => self.vlan = value.parse().ok().filter(|vid| *vid <= 4094).ok_or_else(refuse)?,
            "ethertype" => self.ethertype = ethertype(value).ok_or_else(refuse)?,
            "src" => (self.source, self.source_prefix) = prefix(value).ok_or_else(refuse)?,
            "dst" => (self.destination, self.destination_prefix) = prefix(value).ok_or_else(refuse)?,
            "proto" => {
                self.protocol = named(&PROTOCOLS, value).or_else(|| value.parse().ok()).ok_or_else(refuse)?;
            }
            "sport" => self.source_ports = ports(value).ok_or_else(refuse)?,
            "dport" => self.destination_ports = ports(value).ok_or_else(refuse)?,
            "flags" => self.flags = flags(value).ok_or_else(refuse)?,
            _ => self.fragment = named(&FRAGMENTS, value).ok_or_else(refuse)?,
        }
        Ok(())
    }

    /// Refuses what no frame can match: it is a mistake.
    fn check(&self) -> Result<(), AclError> {
        let has = |bits: u32| self.fields & bits != 0;
        let family = |bit, prefix, octets: &[u8; 16]| has(bit).then(|| is_v4(octets, prefix));
        let families = [
            family(field::SOURCE, self.source_prefix, &self.source),
            family(field::DESTINATION, self.destination_prefix, &self.destination),
        ];
        let ports = has(field::SOURCE_PORTS | field::DESTINATION_PORTS | field::FLAGS);
        let upper = ports || has(field::PROTOCOL | field::FRAGMENT);
        let never = |what| Err(AclError::Never(what));
        if let [Some(source), Some(destination)] = families
            && source != destination
        {
            return never("an IPv4 and an IPv6 address; write two rules");
        }
        if has(field::ETHERTYPE) {
            let is_ip = matches!(self.ethertype, 0x0800 | 0x86dd);
            if upper && !is_ip {
                return never("`proto`, ports, `flags` and `frag` are for IP; leave `ethertype` out");
            }
            for is_v4 in families.into_iter().flatten() {
                let fits =
                    if is_v4 { matches!(self.ethertype, 0x0800 | 0x0806) } else { self.ethertype == 0x86dd };
                if !fits {
                    return never("an address that this ethertype does not have; leave `ethertype` out");
                }
            }
        }
        if ports && has(field::PROTOCOL) && !WITH_PORTS.contains(&self.protocol) {
            return never("ports of a protocol that has none; use `proto tcp`, `udp` or `sctp`");
        }
        if has(field::FLAGS) && has(field::PROTOCOL) && self.protocol != 6 {
            return never("`flags` of a protocol other than TCP; use `proto tcp`");
        }
        if ports && has(field::FRAGMENT) && self.fragment == 4 {
            return never("a later fragment has no ports; leave them, or `frag`, out");
        }
        Ok(())
    }
}

fn wrong(word: &str, value: &str, allowed: &'static str) -> AclError {
    AclError::Value { word: word.to_owned(), value: value.to_owned(), allowed }
}

fn named<T: Copy>(names: &[(&str, T)], text: &str) -> Option<T> {
    names.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
}

fn name_of<'a, T: PartialEq>(names: &[(&'a str, T)], value: &T) -> Option<&'a str> {
    names.iter().find(|(_, known)| known == value).map(|(name, _)| *name)
}

fn mac(text: &str) -> Option<[MacAddr; 2]> {
    let (address, mask) = text.split_once('/').unwrap_or((text, "ff:ff:ff:ff:ff:ff"));
    let (address, mask): (MacAddr, MacAddr) = (address.parse().ok()?, mask.parse().ok()?);
    Some([MacAddr::from_bits(address.to_bits() & mask.to_bits()), mask])
}

fn ethertype(text: &str) -> Option<u16> {
    let number = || match text.strip_prefix("0x") {
        Some(digits) => u16::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    named(&ETHERTYPES, text).or_else(number).filter(|number| *number >= 0x600)
}

fn prefix(text: &str) -> Option<([u8; 16], u8)> {
    let net = IpNet::from_str(text).or_else(|_| IpAddr::from_str(text).map(IpNet::from)).ok()?;
    Some(match net.trunc() {
        IpNet::V4(net) => (net.addr().to_ipv6_mapped().octets(), MAPPED + net.prefix_len()),
        IpNet::V6(net) => (net.addr().octets(), net.prefix_len()),
    })
}

/// Whether it is a prefix of IPv4. An IPv6 prefix of mapped addresses is taken for one, since that is what they are.
fn is_v4(octets: &[u8; 16], prefix: u8) -> bool {
    prefix >= MAPPED && Ipv6Addr::from(*octets).to_ipv4_mapped().is_some()
}

fn prefix_text(octets: [u8; 16], prefix: u8) -> String {
    let address = Ipv6Addr::from(octets);
    match address.to_ipv4_mapped() {
        Some(v4) if prefix >= MAPPED => format!("{v4}/{}", prefix - MAPPED),
        _ => format!("{address}/{prefix}"),
    }
}

fn ports(text: &str) -> Option<[u16; 2]> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let range = [first.parse().ok()?, last.parse().ok()?];
    (range[0] <= range[1]).then_some(range)
}

fn ports_text([first, last]: [u16; 2]) -> String {
    if first == last { first.to_string() } else { format!("{first}-{last}") }
}

fn flags(text: &str) -> Option<[u8; 2]> {
    let bits = |text: &str| {
        text.split(',').try_fold(0, |bits, name| {
            let bit = TCP_FLAGS.iter().position(|flag| *flag == name).map(|place| 1 << place);
            Some(bits | bit.or((name == "none").then_some(0))?)
        })
    };
    let (set, of) = text.split_once('/').unwrap_or((text, text));
    let (set, of): (u8, u8) = (bits(set)?, bits(of)?);
    (set & !of == 0 && of != 0).then_some([set, of])
}

fn flags_text([set, of]: [u8; 2]) -> String {
    let names = |bits: u8| {
        let set: Vec<&str> = TCP_FLAGS
            .iter()
            .enumerate()
            .filter(|(place, _)| bits >> place & 1 != 0)
            .map(|(_, name)| *name)
            .collect();
        if set.is_empty() { "none".to_owned() } else { set.join(",") }
    };
    format!("{}/{}", names(set), names(of))
}

/// The rule in words, as [`Rule::parse`] reads it.
pub fn text(port: Option<&str>, spec: &AclSpec) -> String {
    let mut text = port.map_or_else(String::new, |port| format!("port {port} "));
    if direction(spec) == Direction::Out {
        text += "out ";
    }
    text += Action::from_u8(spec.action).word();
    let mac = |[address, mask]: [MacAddr; 2]| {
        if mask.is_broadcast() { address.to_string() } else { format!("{address}/{mask}") }
    };
    let number = |names: &[(&str, u16)], value: u16| {
        name_of(names, &value).map_or_else(|| format!("{value:#06x}"), str::to_owned)
    };
    let protocol =
        name_of(&PROTOCOLS, &spec.protocol).map_or_else(|| spec.protocol.to_string(), str::to_owned);
    let parts = [
        (field::SOURCE_MAC, "src-mac", mac(spec.source_mac)),
        (field::DESTINATION_MAC, "dst-mac", mac(spec.destination_mac)),
        (field::VLAN, "vlan", spec.vlan.to_string()),
        (field::ETHERTYPE, "ethertype", number(&ETHERTYPES, spec.ethertype)),
        (field::PROTOCOL, "proto", protocol),
        (field::SOURCE, "src", prefix_text(spec.source, spec.source_prefix)),
        (field::DESTINATION, "dst", prefix_text(spec.destination, spec.destination_prefix)),
        (field::SOURCE_PORTS, "sport", ports_text(spec.source_ports)),
        (field::DESTINATION_PORTS, "dport", ports_text(spec.destination_ports)),
        (field::FLAGS, "flags", flags_text(spec.flags)),
        (field::FRAGMENT, "frag", name_of(&FRAGMENTS, &spec.fragment).unwrap_or("any").to_owned()),
    ];
    if spec.fields & !field::LOG == 0 {
        text += " any";
    }
    for (_, word, value) in parts.iter().filter(|(bit, ..)| spec.fields & bit != 0) {
        // Writing to a string cannot fail.
        let _written = write!(text, " {word} {value}");
    }
    if spec.fields & field::LOG != 0 {
        text += " log";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(text: &str) -> Result<Rule, AclError> {
        Rule::parse(&text.split_whitespace().collect::<Vec<_>>())
    }

    #[test]
    fn rules_are_read_and_written() {
        for (written, canonical) in [
            ("deny", "deny any"),
            ("in allow any", "allow any"),
            ("port web out count log any", "port web out count any log"),
            (
                "deny proto 6 dst 10.1.2.3/8 dport 22-23 flags syn/syn,ack",
                "deny proto tcp dst 10.0.0.0/8 dport 22-23 flags syn/syn,ack",
            ),
            ("deny src fd00::1", "deny src fd00::1/128"),
            ("deny src 10.0.0.1", "deny src 10.0.0.1/32"),
            ("deny ethertype 0x0806 src 10.0.0.1", "deny ethertype arp src 10.0.0.1/32"),
            ("deny ethertype 35020 vlan 0", "deny vlan 0 ethertype 0x88cc"),
            (
                "deny dst-mac 01:00:00:00:00:00/01:00:00:00:00:00",
                "deny dst-mac 01:00:00:00:00:00/01:00:00:00:00:00",
            ),
            ("deny flags syn", "deny flags syn/syn"),
            ("deny flags none/syn,fin", "deny flags none/fin,syn"),
            ("deny frag later", "deny frag later"),
            ("deny dst ::/0", "deny dst ::/0"),
            ("deny dst 0.0.0.0/0", "deny dst 0.0.0.0/0"),
        ] {
            let rule = parse(written).unwrap_or_else(|error| panic!("{written}: {error}"));
            let port = rule.port.as_ref().map(crate::name::IfName::as_str);
            assert_eq!(text(port, &rule.spec), canonical);
            assert_eq!(parse(canonical), Ok(rule));
        }
    }

    #[test]
    fn mistakes_are_refused() {
        for wrong in [
            "",
            "drop",
            "port",
            "deny src",
            "deny src 10.0.0.0/33",
            "deny src x",
            "deny vlan 4095",
            "deny ethertype 5",
            "deny sport 5-4",
            "deny sport 65536",
            "deny proto 256",
            "deny proto x",
            "deny flags x",
            "deny flags ack/syn",
            "deny flags none",
            "deny frag x",
            "deny src-mac 1",
            "deny colour red",
            "deny proto tcp proto udp",
            "deny src 10.0.0.1 dst fd00::1",
            "deny ethertype arp proto tcp",
            "deny ethertype ipv6 src 10.0.0.1",
            "deny ethertype ipv4 dst fd00::1",
            "deny proto icmp dport 5",
            "deny proto udp flags syn",
            "deny frag later dport 5",
            "deny vlan",
        ] {
            let error = parse(wrong).expect_err(wrong).to_string();
            assert!(error.contains("; ") || error.starts_with("no frame"), "{wrong}: {error}");
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = (parse(&text), super::super::parse_list(&text));
        }

        #[test]
        fn words_in_any_order_round_trip(words in prop::sample::subsequence(std::vec![
            "src-mac 02:00:00:00:00:01", "dst-mac 02:00:00:00:00:00/ff:00:00:00:00:00", "vlan 7", "proto tcp",
            "src 10.0.0.0/9", "dst 10.3.0.0/16", "sport 5", "dport 1000-2000", "flags syn/syn,ack", "frag first",
            "log"], 0..11), action in prop::sample::select(std::vec!["allow", "deny", "count"])) {
            let rule = parse(&format!("{action} {}", words.join(" "))).expect("legal");
            prop_assert_eq!(parse(&text(None, &rule.spec)), Ok(rule));
        }
    }
}

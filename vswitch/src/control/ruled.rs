//! The event of a rule with `log`.

use std::net::Ipv6Addr;

use serde::Serialize;
use vswitch_common::{
    acl::{AclKey, Direction, layer, octets_of},
    addr::MacAddr,
    port::Slot,
};

use super::{Opened, acl};
use crate::config::acl::Action;

/// A frame that a rule matched: the first one of its flow.
#[derive(Debug, Serialize, PartialEq, Eq)]
pub struct Ruled {
    /// The port.
    pub port: String,
    /// `in` or `out`.
    pub direction: &'static str,
    /// Number of the rule now; `None` if it has been removed meanwhile.
    pub rule: Option<usize>,
    /// `allow`, `deny` or `count`.
    pub action: Option<&'static str>,
    /// Source MAC address.
    pub source_mac: String,
    /// Destination MAC address.
    pub destination_mac: String,
    /// VLAN; 0 = none.
    pub vlan: u16,
    /// Ethertype, in hexadecimal digits.
    pub ethertype: String,
    /// Protocol of IP.
    pub protocol: Option<u8>,
    /// Source address; of ARP, the sender's.
    pub source: Option<String>,
    /// Destination address; of ARP, the target's.
    pub destination: Option<String>,
    /// Source port.
    pub source_port: Option<u16>,
    /// Destination port.
    pub destination_port: Option<u16>,
}

/// Reads what is behind `ruled` in a record: the row of the rule's counter, and the frame as an [`AclKey`].
pub fn parse(
    counter: &str,
    frame: &str,
    port: impl Fn(Slot) -> String,
    rule: impl Fn(u16) -> Option<(usize, Action)>,
) -> Option<Ruled> {
    let mut key = AclKey::EMPTY;
    if frame.len() != size_of::<AclKey>() * 2 || !frame.is_ascii() {
        return None;
    }
    for (place, word) in key.words.iter_mut().enumerate() {
        // In the order of the machine's memory.
        *word = u64::from_str_radix(&frame[place * 16..][..16], 16).ok()?.swap_bytes().to_le();
    }
    let rule = rule(counter.parse().ok()?);
    let has = |bits: u8| key.layers() & bits != 0;
    let address = |at: usize| {
        let words = [key.words[at], key.words[at + 1]];
        let known = has(layer::IP) || words != [0; 2];
        known.then(|| Ipv6Addr::from(octets_of(words)).to_canonical().to_string())
    };
    let ports = key.ports();
    Some(Ruled {
        port: port(key.slot()),
        direction: Direction::from_u8(key.words[6].to_be_bytes()[0]).word(),
        rule: rule.map(|(number, _)| number),
        action: rule.map(|(_, action)| action.word()),
        source_mac: key.source().to_string(),
        destination_mac: MacAddr::from_bits(key.words[1]).to_string(),
        vlan: u16::try_from(key.words[0] >> 48).unwrap_or(0),
        ethertype: format!("{:04x}", key.ethertype()),
        protocol: has(layer::IP).then(|| key.protocol()),
        source: address(2),
        destination: address(4),
        source_port: has(layer::PORTS).then_some(ports.0),
        destination_port: has(layer::PORTS).then_some(ports.1),
    })
}

/// The rule that has a row of counters now.
pub fn rule(opened: &Opened, counter: u16) -> Option<(usize, Action)> {
    let specs = acl::current(opened).ok()?;
    let place = specs.iter().position(|spec| spec.counter == counter)?;
    Some((place + 1, Action::from_u8(specs[place].action)))
}

/// One line for people.
pub fn text(event: &Ruled) -> String {
    let Ruled { port, direction, rule, action, source_mac, destination_mac, vlan, ethertype, .. } = event;
    let rule = rule.map_or_else(|| "a removed rule".to_owned(), |number| format!("rule {number}"));
    let side = |address: &Option<String>, port: Option<u16>| match (address, port) {
        (Some(address), Some(port)) => format!(" {address} port {port}"),
        (Some(address), None) => format!(" {address}"),
        (None, _) => String::new(),
    };
    let from = side(&event.source, event.source_port);
    let to = side(&event.destination, event.destination_port);
    let protocol = event.protocol.map_or_else(String::new, |protocol| format!(", protocol {protocol}"));
    let vlan = if *vlan == 0 { String::new() } else { format!(", VLAN {vlan}") };
    format!(
        "rule     {} by {rule}, {direction} at {port}: {source_mac}{from} to {destination_mac}{to}, ethertype \
         0x{ethertype}{protocol}{vlan}",
        action.unwrap_or("matched")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_understood() {
        let mut key = AclKey::EMPTY;
        key.set_link(MacAddr::new([2, 0, 0, 0, 0, 1]), MacAddr::BROADCAST, 7, 0x0800);
        key.words[3] = 0xffff_0000 | u64::from(u32::from_le_bytes([10, 0, 0, 1])) << 32;
        key.words[5] = 0xffff_0000 | u64::from(u32::from_le_bytes([10, 0, 0, 2])) << 32;
        key.set_transport((5, 53), (17, 0), layer::IP | layer::PORTS, 1);
        key.set_slot(3);
        let hex = key
            .words
            .iter()
            .flat_map(|word| word.to_ne_bytes())
            .map(|byte| format!("{byte:02x}"))
            .collect::<Vec<_>>()
            .concat();
        let port = |slot: Slot| format!("p{slot}");
        let event =
            parse("9", &hex, port, |counter| (counter == 9).then_some((2, Action::Deny))).expect("legal");
        assert_eq!(
            text(&event),
            "rule     deny by rule 2, out at p3: 02:00:00:00:00:01 10.0.0.1 port 5 to ff:ff:ff:ff:ff:ff 10.0.0.2 \
             port 53, ethertype 0x0800, protocol 17, VLAN 7"
        );
        for wrong in ["", "00", &"é".repeat(64)] {
            assert_eq!(parse("9", wrong, port, |_| None), None);
        }
    }
}

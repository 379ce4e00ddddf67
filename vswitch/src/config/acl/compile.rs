//! A list of rules as the program searches it: see [`vswitch_common::acl`].

use std::collections::BTreeMap;

use vswitch_common::{
    acl::{
        ACL_KEYS_MAX, ACL_MASKS_MAX, ACL_RULES_MAX, AclKey, AclMask, AclRule, AclSpec, COUNT_MASKS_MAX,
        MaskKind, field, layer, words_of,
    },
    addr::MacAddr,
};

use super::{AclError, Action};

/// What is written to one bank.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// The masks in the order of the search, [`AclMask::END`] last.
    pub masks: Vec<AclMask>,
    /// The rules of all masks.
    pub rules: Vec<(AclKey, AclRule)>,
}

/// Bits that a rule looks at, and what they must be.
#[derive(Clone, Copy)]
struct Pattern {
    mask: AclKey,
    value: AclKey,
}

/// Rules that look at the same bits, by what these must be.
type Tuples = BTreeMap<(MaskKind, AclKey), BTreeMap<AclKey, AclRule>>;

/// Compiles a list for a bank.
pub fn compile(specs: &[AclSpec], bank: u16) -> Result<Table, AclError> {
    if specs.len() > ACL_RULES_MAX as usize {
        return Err(AclError::Rules(specs.len()));
    }
    let mut tuples = Tuples::new();
    let mut keys = 0;
    for (rank, spec) in (0_u16..).zip(specs) {
        let kind = if spec.action == Action::Count as u8 { MaskKind::Count } else { MaskKind::Decide };
        let rule = AclRule {
            rank,
            counter: spec.counter,
            denies: u8::from(spec.action == Action::Deny as u8),
            logs: u8::from(spec.fields & field::LOG != 0),
            reserved: 0,
        };
        for Pattern { mask, value } in patterns(spec) {
            let known = tuples.entry((kind, mask)).or_default();
            match known.get(&value) {
                Some(earlier) if kind == MaskKind::Count => {
                    let [first, second] = [earlier.rank, rank].map(|rank| usize::from(rank) + 1);
                    return Err(AclError::SameCount { first, second });
                }
                // No frame gets as far as this one.
                Some(_) => {}
                None => {
                    known.insert(value, rule);
                    keys += 1;
                }
            }
        }
    }
    if keys > ACL_KEYS_MAX as usize {
        return Err(AclError::Keys(keys));
    }
    table(tuples, bank)
}

fn table(tuples: Tuples, bank: u16) -> Result<Table, AclError> {
    let counts = tuples.keys().filter(|(kind, _)| *kind == MaskKind::Count).count();
    if counts > COUNT_MASKS_MAX {
        return Err(AclError::Counts(counts));
    }
    if tuples.len() >= ACL_MASKS_MAX as usize {
        return Err(AclError::Masks(tuples.len()));
    }
    let best =
        |rules: &BTreeMap<AclKey, AclRule>| rules.values().map(|rule| rule.rank).min().unwrap_or(u16::MAX);
    let mut sorted: Vec<_> = tuples.into_iter().map(|(place, rules)| (best(&rules), place, rules)).collect();
    sorted.sort_by_key(|(rank, ..)| *rank);
    let mut table = Table { masks: Vec::new(), rules: Vec::new() };
    for (place, (rank, (kind, mask), rules)) in (0_u16..).zip(sorted) {
        table.masks.push(AclMask { mask, rank, kind: kind as u8, reserved: [0; 5] });
        for (mut key, rule) in rules {
            key.words[7] |= AclKey::place(bank, place);
            table.rules.push((key, rule));
        }
    }
    table.masks.push(AclMask::END);
    Ok(table)
}

/// A rule as patterns: one for each pair of prefixes of its ranges of ports.
fn patterns(spec: &AclSpec) -> Vec<Pattern> {
    let has = |bits: u32| spec.fields & bits != 0;
    let when = |bit: u32, bits: u16| if has(bit) { bits } else { 0 };
    let addresses = has(field::SOURCE | field::DESTINATION);
    let is_arp = has(field::ETHERTYPE) && spec.ethertype == 0x0806;
    let (ethertype, looks_at_ethertype) = match () {
        () if has(field::ETHERTYPE) => (spec.ethertype, u16::MAX),
        () if addresses && is_v4(spec) => (0x0800, u16::MAX),
        () if addresses => (0x86dd, u16::MAX),
        () => (0, 0),
    };
    let mut mask = AclKey::EMPTY;
    let mut value = AclKey::EMPTY;
    let macs = |at: usize| {
        let of =
            |bit, [address, mask]: [MacAddr; 2]| if has(bit) { [address, mask][at] } else { MacAddr::ZERO };
        (of(field::SOURCE_MAC, spec.source_mac), of(field::DESTINATION_MAC, spec.destination_mac))
    };
    let ((source, destination), (source_mask, destination_mask)) = (macs(0), macs(1));
    value.set_link(source, destination, when(field::VLAN, spec.vlan), ethertype);
    mask.set_link(source_mask, destination_mask, when(field::VLAN, u16::MAX), looks_at_ethertype);
    for (bit, word, octets, length) in [
        (field::SOURCE, 2, spec.source, spec.source_prefix),
        (field::DESTINATION, 4, spec.destination, spec.destination_prefix),
    ] {
        if has(bit) {
            let ones = words_of((!u128::MAX.checked_shr(u32::from(length)).unwrap_or(0)).to_be_bytes());
            let wanted = words_of(octets);
            for half in 0..2 {
                mask.words[word + half] = ones[half];
                value.words[word + half] = wanted[half] & ones[half];
            }
        }
    }
    let mut present = 0;
    let mut looked_at = 0;
    let mut must = |bits: u8, be: bool| {
        looked_at |= bits;
        present |= if be { bits } else { 0 };
    };
    if has(field::PROTOCOL) || addresses && !is_arp {
        must(layer::IP, true);
    }
    if has(field::SOURCE_PORTS | field::DESTINATION_PORTS) {
        must(layer::PORTS, true);
    }
    if has(field::FLAGS) {
        must(layer::TCP, true);
    }
    if has(field::FRAGMENT) {
        must(layer::IP, true);
        match spec.fragment {
            1 => must(layer::FRAGMENT, false),
            2 => must(layer::FRAGMENT, true),
            3 => {
                must(layer::FRAGMENT, true);
                must(layer::LATER, false);
            }
            _ => must(layer::LATER, true),
        }
    }
    let protocol = if has(field::PROTOCOL) { (spec.protocol, u8::MAX) } else { (0, 0) };
    let [flags, flags_mask] = if has(field::FLAGS) { spec.flags } else { [0; 2] };
    if spec.slot != 0 {
        value.set_slot(spec.slot);
        mask.set_slot(u16::MAX);
    }
    let ranges = |bit, range| if has(bit) { prefixes(range) } else { vec![(0, 0)] };
    let mut found = Vec::new();
    for (source, source_mask) in ranges(field::SOURCE_PORTS, spec.source_ports) {
        for (destination, destination_mask) in ranges(field::DESTINATION_PORTS, spec.destination_ports) {
            value.set_transport((source, destination), (protocol.0, flags), present, spec.direction);
            mask.set_transport((source_mask, destination_mask), (protocol.1, flags_mask), looked_at, u8::MAX);
            found.push(Pattern { mask, value });
        }
    }
    found
}

/// Whether the addresses of a rule are of IPv4.
fn is_v4(spec: &AclSpec) -> bool {
    let mapped = |bit, octets: [u8; 16], prefix| {
        spec.fields & bit != 0 && prefix >= 96 && octets[..12] == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
    };
    mapped(field::SOURCE, spec.source, spec.source_prefix)
        || mapped(field::DESTINATION, spec.destination, spec.destination_prefix)
}

/// A range as the fewest prefixes: (value, mask).
fn prefixes([first, last]: [u16; 2]) -> Vec<(u16, u16)> {
    let mut found = Vec::new();
    let (mut next, end) = (u32::from(first), u32::from(last) + 1);
    while next < end {
        // The largest block that begins here and does not go beyond the end.
        let aligned = if next == 0 { 16 } else { next.trailing_zeros().min(16) };
        let bits = aligned.min((end - next).ilog2());
        let mask = u32::from(u16::MAX) & (u32::MAX << bits);
        found.push((low(next), low(mask)));
        next += 1 << bits;
    }
    found
}

fn low(word: u32) -> u16 {
    u16::try_from(word & 0xffff).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::acl::parse_list;
    use proptest::prelude::*;

    fn specs(text: &str) -> Vec<AclSpec> {
        let rules = parse_list(text).expect("legal");
        (0..).zip(rules).map(|(counter, (_, rule))| AclSpec { counter, ..rule.spec }).collect()
    }

    /// The search as the program does it: the counter of the rule that decides, and those of the ones that count.
    fn search(table: &Table, frame: &AclKey) -> (Option<u16>, Vec<u16>) {
        let (mut best, mut counts) = (None::<AclRule>, Vec::new());
        for (place, mask) in (0..).zip(&table.masks) {
            let rank = best.map_or(u16::MAX, |rule| rule.rank);
            if mask.kind == MaskKind::End as u8 || mask.rank > rank {
                break;
            }
            let mut key = frame.masked(&mask.mask);
            key.words[7] |= AclKey::place(1, place);
            let Some((_, rule)) = table.rules.iter().find(|(known, _)| *known == key) else { continue };
            if mask.kind == MaskKind::Count as u8 {
                counts.push(*rule);
            } else if rule.rank < rank {
                best = Some(*rule);
            }
        }
        counts.retain(|rule| best.is_none_or(|best| rule.rank < best.rank));
        counts.sort_by_key(|rule| rule.rank);
        (best.map(|rule| rule.counter), counts.iter().map(|rule| rule.counter).collect())
    }

    #[test]
    fn limits_are_told() {
        let text = (0..256)
            .map(|bits| format!("deny src-mac 00:00:00:00:00:00/00:00:00:00:00:{bits:02x}\n"))
            .collect::<Vec<_>>()
            .concat();
        assert_eq!(compile(&specs(&text), 0), Err(AclError::Masks(256)));
        assert_eq!(compile(&specs(&"deny\n".repeat(4097)), 0), Err(AclError::Rules(4097)));
        let ranges = (0..20)
            .map(|vlan| format!("deny vlan {vlan} sport 1-65534 dport 1-65534\n"))
            .collect::<Vec<_>>()
            .concat();
        assert!(matches!(compile(&specs(&ranges), 0), Err(AclError::Keys(18000))));
        let counts = (8..25).map(|bits| format!("count src 10.0.0.0/{bits}\n")).collect::<Vec<_>>().concat();
        assert_eq!(compile(&specs(&counts), 0), Err(AclError::Counts(17)));
        assert_eq!(
            compile(&specs("count dport 5\ndeny\ncount dport 5"), 0),
            Err(AclError::SameCount { first: 1, second: 3 })
        );
    }

    proptest! {
        #[test]
        fn prefixes_are_the_range(first: u16, last: u16, port: u16) {
            let range = [first.min(last), first.max(last)];
            let inside = prefixes(range).iter().filter(|(value, mask)| port & mask == *value).count();
            prop_assert_eq!(inside, usize::from(range[0] <= port && port <= range[1]));
        }

        #[test]
        fn the_search_is_the_list(rules in prop::collection::vec((0_u8..3, 0_u8..4, 20..26_u8, 0..20_u16, 0..20_u16), 1..30),
                                  host in 0_u8..4, port in 0..24_u16) {
            // Counting rules must not be the same.
            let mut seen = std::collections::BTreeSet::new();
            let rules: Vec<_> = rules.into_iter().filter(|rule| rule.0 != 2 || rule.2 == 24 && seen.insert(rule.1)).collect();
            let text = rules.iter().map(|(action, host, length, one, other)| {
                let (first, last) = (one.min(other), one.max(other));
                if *action == 2 { return format!("count src 10.0.{host}.0/24\n"); }
                format!("{} src 10.0.{host}.0/{length} dport {first}-{last}\n", ["allow", "deny"][usize::from(*action)])
            }).collect::<Vec<_>>().concat();
            let table = compile(&specs(&text), 1).expect("within the limits");
            let mut frame = AclKey::EMPTY;
            frame.set_link(MacAddr::ZERO, MacAddr::ZERO, 0, 0x0800);
            [frame.words[2], frame.words[3]] = words_of([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, host, 9]);
            frame.set_transport((1, port), (6, 0), layer::IP | layer::PORTS | layer::TCP, 0);
            let (mut decided, mut counted) = (None, Vec::new());
            for (number, (action, net, length, one, other)) in (0..).zip(&rules) {
                let bits = 24_u8.saturating_sub(*length);
                if *action == 2 {
                    if *net == host { counted.push(number); }
                } else if (net >> bits) == (host >> bits) && (*length < 25 || *net == host)
                    && (one.min(other)..=one.max(other)).contains(&&port) {
                    decided = Some(number);
                    break;
                }
            }
            prop_assert_eq!(search(&table, &frame), (decided, counted), "{}", text);
        }
    }
}

//! Questions for the link-layer address of a neighbour, and their answers: ARP (RFC 826) and IPv6 neighbour discovery
//! (RFC 4861). What is answered, and what is spared to whom, is as in Linux `net/bridge/br_arp_nd_proxy.c`.

use vswitch_common::{
    addr::MacAddr,
    port::{PortConfig, flag},
};

/// Length of an ARP message for IPv4 over Ethernet, in bytes.
pub const ARP_LEN: usize = 28;
/// Length of what is looked at of a neighbour discovery message, in bytes: the IPv6 header, then the message without options.
pub const ND_LEN: usize = 64;
/// Bytes of options that a question may have; one that has more is protected in ways that cannot be answered for others.
pub const OPTIONS_LEN: usize = 32;
/// Length of the one option of an answer, in bytes.
pub const OPTION_LEN: usize = 8;

/// Hardware Ethernet, protocol IPv4, lengths 6 and 4.
const ARP_ETHERNET_IPV4: [u8; 6] = [0, 1, 8, 0, 6, 4];
const ARP_REQUEST: [u8; 2] = [0, 1];
const ARP_REPLY: [u8; 2] = [0, 2];
const ICMPV6: u8 = 58;
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;
/// Length of the IPv6 header.
const IPV6_LEN: usize = 40;
/// Length of a message without options.
const MESSAGE_LEN: u16 = 24;
/// Length of an answer, with its option.
const ANSWER_LEN: u16 = 32;
const _: () = assert!(
    IPV6_LEN + MESSAGE_LEN as usize == ND_LEN && ND_LEN + OPTION_LEN == IPV6_LEN + ANSWER_LEN as usize
);
/// A message that came from another link has a lower one.
const HOP_LIMIT: u8 = 255;
/// Flags of an advertisement.
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// Kinds of options.
const SOURCE_ADDRESS: u8 = 1;
const TARGET_ADDRESS: u8 = 2;

/// What a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// Nothing that matters here, or it is malformed.
    Nothing,
    /// Somebody makes himself known, or looks whether an address is free: whoever is to be spared questions is spared
    /// this as well.
    Announced,
    /// Who has the address that [`arp_target`] or [`nd_target`] gives?
    Address,
}

/// What is done about a question whose answer is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    None,
    /// It is spared to who wants to be spared.
    Spare,
    /// The same, and it is answered.
    Answer,
}

/// What an ARP message is about. Announcements are only told from questions if there is somebody to be spared them.
#[inline(always)]
pub fn arp(message: &[u8; ARP_LEN], spares: bool) -> Asked {
    let [h1, h0, p1, p0, hlen, plen, o1, o0, ..] = *message;
    let target = arp_target(message);
    if [h1, h0, p1, p0, hlen, plen] != ARP_ETHERNET_IPV4 || target[0] == 127 || target[0] & 0xf0 == 0xe0 {
        return Asked::Nothing;
    }
    let source = at::<4>(message, 14);
    if spares && (source[0] == 0 || source == target) {
        return Asked::Announced;
    }
    if [o1, o0] == ARP_REQUEST && arp_asker(message).is_station() { Asked::Address } else { Asked::Nothing }
}

/// The address that an ARP message asks for.
#[inline(always)]
pub fn arp_target(message: &[u8; ARP_LEN]) -> [u8; 4] {
    at(message, 24)
}

/// Who asks by an ARP message.
#[inline(always)]
pub fn arp_asker(message: &[u8; ARP_LEN]) -> MacAddr {
    MacAddr::new(at(message, 8))
}

/// Turns a question into its answer.
#[inline(always)]
pub fn arp_reply(message: &mut [u8; ARP_LEN], mac: MacAddr) {
    let asker = at::<10>(message, 8);
    let target = arp_target(message);
    put(message, 6, ARP_REPLY);
    put(message, 8, mac.octets());
    put(message, 14, target);
    put(message, 18, asker);
}

/// What an IPv6 packet is about.
#[inline(always)]
pub fn nd(packet: &[u8; ND_LEN]) -> Asked {
    let [version, _, _, _, _, _, next, hops, ..] = *packet;
    let [kind, code] = at(packet, IPV6_LEN);
    if version >> 4 != 6 || next != ICMPV6 || hops != HOP_LIMIT || code != 0 {
        return Asked::Nothing;
    }
    let (source, destination) = (at::<16>(packet, 8), at::<16>(packet, 24));
    match kind {
        ADVERTISEMENT if packet[IPV6_LEN + 4] & SOLICITED == 0 => Asked::Announced,
        SOLICITATION if source == [0; 16] || source == destination => Asked::Announced,
        SOLICITATION if nd_target(packet)[0] != 0xff => Asked::Address,
        _ => Asked::Nothing,
    }
}

/// The address that a solicitation asks for.
#[inline(always)]
pub fn nd_target(packet: &[u8; ND_LEN]) -> [u8; 16] {
    at(packet, IPV6_LEN + 8)
}

/// Length of the options of a solicitation, in bytes; `None` if it has none that can be.
#[inline(always)]
pub fn nd_options_len(packet: &[u8; ND_LEN]) -> Option<u16> {
    let options = u16::from_be_bytes(at(packet, 4)).checked_sub(MESSAGE_LEN)?;
    let is_whole = usize::from(options).is_multiple_of(OPTION_LEN);
    if usize::from(options) <= OPTIONS_LEN && is_whole { Some(options) } else { None }
}

/// Who asks by a solicitation: the address of its option, else the source of the frame; `None` if it is malformed.
/// `options` is padded with zeroes. A checksum that is wrong, or that a device is still to complete, is malformed, too.
#[inline(always)]
pub fn nd_asker(
    packet: &[u8; ND_LEN],
    options: &[u8; OPTIONS_LEN],
    options_len: u16,
    source: MacAddr,
) -> Option<MacAddr> {
    let mut asker = source;
    let mut skip = 0;
    for (index, unit) in options.chunks_exact(OPTION_LEN).enumerate() {
        if index * OPTION_LEN >= usize::from(options_len) {
            break;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        let [kind, units, a, b, c, d, e, f] = *unit.first_chunk::<OPTION_LEN>()?;
        if units == 0 || (index + usize::from(units)) * OPTION_LEN > usize::from(options_len) {
            return None;
        }
        if kind == SOURCE_ADDRESS {
            asker = MacAddr::new([a, b, c, d, e, f]);
        }
        skip = units - 1;
    }
    if asker.is_station() && checksum(packet, options, MESSAGE_LEN + options_len) == 0 {
        Some(asker)
    } else {
        None
    }
}

/// Turns a solicitation into its answer; `option` is what follows it.
#[inline(always)]
pub fn nd_reply(packet: &mut [u8; ND_LEN], mac: MacAddr, is_router: bool) -> [u8; OPTION_LEN] {
    let (asker, target) = (at::<16>(packet, 8), nd_target(packet));
    // The priority stays, the flow label goes.
    let version = packet[0];
    put(packet, 0, [version, 0, 0, 0]);
    put(packet, 4, ANSWER_LEN.to_be_bytes());
    put(packet, 8, target);
    put(packet, 24, asker);
    let flags = SOLICITED | OVERRIDE | if is_router { ROUTER } else { 0 };
    put(packet, IPV6_LEN, [ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0]);
    let [a, b, c, d, e, f] = mac.octets();
    let option = [TARGET_ADDRESS, 1, a, b, c, d, e, f];
    let mut options = [0; OPTIONS_LEN];
    put(&mut options, 0, option);
    let sum = checksum(packet, &options, ANSWER_LEN);
    put(packet, IPV6_LEN + 2, sum.to_be_bytes());
    option
}

/// The checksum of a message of `length` bytes; 0 if the message has the right one already.
#[inline(always)]
fn checksum(packet: &[u8; ND_LEN], options: &[u8; OPTIONS_LEN], length: u16) -> u16 {
    // Both addresses, and the message: the rest of the pseudo-header is numbers.
    let mut sum = u32::from(length) + u32::from(ICMPV6);
    for pair in packet[8..].chunks_exact(2).chain(options.chunks_exact(2)) {
        sum += u32::from(pair[0]) << 8 | u32::from(pair[1]);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    !((sum & 0xffff) as u16)
}

/// What is done about a question that came by `ingress`, for the address of a station behind `port`. `spares` tells
/// whether any port of the switch has `neigh-suppress`.
#[inline(always)]
pub fn reply(is_arp: bool, ingress: &PortConfig, port: &PortConfig, spares: bool) -> Reply {
    let is_proxied = is_arp && (ingress.has(flag::PROXY_ARP) || port.has(flag::PROXY_ARP_WIFI));
    if is_proxied || port.has(flag::NEIGH_SUPPRESS) {
        Reply::Answer
    } else if spares {
        Reply::Spare
    } else {
        Reply::None
    }
}

/// A part of known place and length.
#[inline(always)]
fn at<const N: usize>(bytes: &[u8], from: usize) -> [u8; N] {
    let mut part = [0; N];
    part.copy_from_slice(&bytes[from..from + N]);
    part
}

#[inline(always)]
fn put<const N: usize>(bytes: &mut [u8], from: usize, part: [u8; N]) {
    bytes[from..from + N].copy_from_slice(&part);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{vec, vec::Vec};

    const ASKER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);
    const OTHER: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 9]);

    /// Who has 10.0.0.9? Tell 10.0.0.1.
    const REQUEST: [u8; ARP_LEN] =
        [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 9];

    fn with(changes: &[(usize, u8)]) -> [u8; ARP_LEN] {
        let mut message = REQUEST;
        for (at, byte) in changes {
            message[*at] = *byte;
        }
        message
    }

    #[test]
    fn arp_messages_are_told_apart() {
        assert_eq!(arp(&REQUEST, true), Asked::Address);
        assert_eq!((arp_target(&REQUEST), arp_asker(&REQUEST)), ([10, 0, 0, 9], ASKER));
        assert_eq!(arp(&with(&[(7, 2)]), true), Asked::Nothing, "a reply");
        assert_eq!(arp(&with(&[(27, 1)]), true), Asked::Announced, "for the address of who asks");
        assert_eq!(arp(&with(&[(7, 2), (27, 1)]), true), Asked::Announced, "a reply for it");
        assert_eq!(arp(&with(&[(14, 0), (17, 0)]), true), Asked::Announced, "a probe");
        // Without anybody to be spared, they are questions like any other.
        assert_eq!(arp(&with(&[(27, 1)]), false), Asked::Address, "for the address of who asks");
        assert_eq!(arp(&with(&[(14, 0), (17, 0)]), false), Asked::Address, "a probe");
        assert_eq!(arp(&with(&[(7, 2), (27, 1)]), false), Asked::Nothing, "a reply for it");
        for (at, byte) in [(1, 6), (2, 0x86), (4, 8), (5, 16), (24, 127), (24, 224), (24, 239), (8, 3)] {
            assert_eq!(arp(&with(&[(at, byte)]), true), Asked::Nothing, "byte {at}");
        }
        assert_eq!(arp(&with(&[(8, 0), (13, 0)]), true), Asked::Nothing, "who asks is nobody");
    }

    #[test]
    fn an_arp_answer_is_to_who_asked() {
        let mut message = REQUEST;
        arp_reply(&mut message, OTHER);
        let expected = [0, 1, 8, 0, 6, 4, 0, 2, 2, 0, 0, 0, 0, 9, 10, 0, 0, 9, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1];
        assert_eq!(message, expected);
        assert_eq!(arp(&message, true), Asked::Nothing);
    }

    /// A solicitation from `fd00::1` for `fd00::9`, to its group, with these options and the right checksum.
    fn solicitation(options: &[u8]) -> ([u8; ND_LEN], [u8; OPTIONS_LEN]) {
        let length = MESSAGE_LEN + u16::try_from(options.len()).expect("few options");
        let mut packet = [0; ND_LEN];
        packet[..8].copy_from_slice(&[0x6b, 0xcd, 0xef, 0x12, 0, length.to_le_bytes()[0], ICMPV6, HOP_LIMIT]);
        packet[8..24].copy_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        packet[24..40].copy_from_slice(&[0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 9]);
        packet[40] = SOLICITATION;
        packet[48..64].copy_from_slice(&[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
        let mut padded = [0; OPTIONS_LEN];
        padded[..options.len()].copy_from_slice(options);
        let sum = checksum(&packet, &padded, length);
        packet[42..44].copy_from_slice(&sum.to_be_bytes());
        (packet, padded)
    }

    const SOURCE: [u8; 8] = [SOURCE_ADDRESS, 1, 2, 0, 0, 0, 0, 0x0a];

    fn asker(options: &[u8]) -> Option<MacAddr> {
        let (packet, padded) = solicitation(options);
        nd_asker(&packet, &padded, nd_options_len(&packet)?, ASKER)
    }

    #[test]
    fn nd_messages_are_told_apart() {
        let (question, _) = solicitation(&SOURCE);
        assert_eq!(nd(&question), Asked::Address);
        let with = |changes: &[(usize, u8)]| {
            let mut packet = question;
            for (at, byte) in changes {
                packet[*at] = *byte;
            }
            nd(&packet)
        };
        for (at, byte) in [(0, 0x45), (6, 17), (7, 254), (41, 1), (40, 133), (40, 128), (48, 0xff)] {
            assert_eq!(with(&[(at, byte)]), Asked::Nothing, "byte {at}");
        }
        assert_eq!(with(&[(40, ADVERTISEMENT)]), Asked::Announced, "unsolicited");
        assert_eq!(with(&[(40, ADVERTISEMENT), (44, SOLICITED)]), Asked::Nothing, "solicited");
        assert_eq!(with(&[(8, 0), (23, 0)]), Asked::Announced, "duplicate address detection");
        let mut to_itself = question;
        to_itself.copy_within(8..24, 24);
        assert_eq!(nd(&to_itself), Asked::Announced);
    }

    #[test]
    fn options_are_walked() {
        let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
        assert_eq!(asker(&[]), Some(ASKER), "the source of the frame");
        assert_eq!(asker(&SOURCE), Some(MacAddr::new([2, 0, 0, 0, 0, 0x0a])));
        assert_eq!(asker(&[nonce, SOURCE].concat()), Some(MacAddr::new([2, 0, 0, 0, 0, 0x0a])));
        // What looks like an option within another one is none.
        assert_eq!(asker(&[[14, 2, 0, 0, 0, 0, 0, 0], SOURCE].concat()), Some(ASKER));
        for (what, wrong) in [
            ("no length", vec![14, 0, 0, 0, 0, 0, 0, 0]),
            ("no length, behind", [SOURCE, [14, 0, 0, 0, 0, 0, 0, 0]].concat()),
            ("beyond the end", vec![14, 2, 0, 0, 0, 0, 0, 0]),
            ("half an option", vec![1, 1, 2, 0]),
            ("a group asks", vec![SOURCE_ADDRESS, 1, 3, 0, 0, 0, 0, 1]),
            ("nobody asks", vec![SOURCE_ADDRESS, 1, 0, 0, 0, 0, 0, 0]),
        ] {
            assert_eq!(asker(&wrong), None, "{what}");
        }
        let (mut longer, _) = solicitation(&[]);
        longer[5] = 24 + 40;
        assert_eq!(nd_options_len(&longer), None, "more than is looked at");
        longer[5] = 23;
        assert_eq!(nd_options_len(&longer), None, "cut short");
    }

    #[test]
    fn an_nd_answer_is_to_who_asked() {
        let (question, _) = solicitation(&SOURCE);
        let mut packet = question;
        let option = nd_reply(&mut packet, OTHER, false);
        assert_eq!(option, [TARGET_ADDRESS, 1, 2, 0, 0, 0, 0, 9]);
        assert_eq!(packet[..8], [0x6b, 0, 0, 0, 0, 32, ICMPV6, HOP_LIMIT]);
        assert_eq!(packet[8..24], question[48..64], "from the address that was asked for");
        assert_eq!(packet[24..40], question[8..24], "to who asked");
        assert_eq!(packet[40..42], [ADVERTISEMENT, 0]);
        assert_eq!(packet[44..48], [SOLICITED | OVERRIDE, 0, 0, 0]);
        assert_eq!(packet[48..64], question[48..64]);
        let mut options = [0; OPTIONS_LEN];
        options[..8].copy_from_slice(&option);
        assert_eq!(checksum(&packet, &options, 32), 0);
        let mut router = question;
        nd_reply(&mut router, OTHER, true);
        assert_eq!(router[44], ROUTER | SOLICITED | OVERRIDE);
        assert_eq!(checksum(&router, &options, 32), 0);
    }

    /// An example of RFC 1071 by another route: the sum as one big number modulo 65,535.
    #[test]
    fn the_checksum_is_the_internet_checksum() {
        let (packet, options) = solicitation(&SOURCE);
        let mut words: Vec<u8> = [&packet[8..], &options].concat();
        words.extend([0, 0, 0, 32, 0, 0, 0, ICMPV6]);
        let sum: u64 = words.chunks(2).map(|pair| u64::from(pair[0]) * 256 + u64::from(pair[1])).sum();
        assert_eq!(sum % 65_535, 0);
    }

    #[test]
    fn who_is_answered() {
        let port = |flags| PortConfig { ifindex: 1, flags, ..PortConfig::EMPTY };
        let (plain, suppress) = (port(flag::DEFAULT), port(flag::NEIGH_SUPPRESS));
        let (proxy, wifi) = (port(flag::PROXY_ARP), port(flag::PROXY_ARP_WIFI));
        for (is_arp, ingress, behind, spares, expected) in [
            (true, &plain, &plain, false, Reply::None),
            (true, &plain, &plain, true, Reply::Spare),
            (true, &plain, &suppress, true, Reply::Answer),
            (false, &plain, &suppress, true, Reply::Answer),
            (true, &proxy, &plain, false, Reply::Answer),
            (false, &proxy, &plain, true, Reply::Spare),
            (true, &plain, &proxy, false, Reply::None),
            (true, &plain, &wifi, false, Reply::Answer),
            (false, &plain, &wifi, true, Reply::Spare),
            (true, &wifi, &plain, false, Reply::None),
        ] {
            assert_eq!(reply(is_arp, ingress, behind, spares), expected, "{is_arp} {ingress:?} {behind:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(message: [u8; ARP_LEN], packet in any::<[[u8; 32]; 2]>(), options: [u8; OPTIONS_LEN]) {
            let _ = arp(&message, true);
            let mut whole = [0; ND_LEN];
            whole.copy_from_slice(&packet.concat());
            let _ = nd(&whole);
            if let Some(length) = nd_options_len(&whole) {
                prop_assert!(usize::from(length) <= OPTIONS_LEN);
                let _ = nd_asker(&whole, &options, length, ASKER);
            }
        }

        #[test]
        fn one_wrong_bit_is_noticed(bit in 0usize..(96 - 8) * 8) {
            let (packet, options) = solicitation(&SOURCE);
            let mut all = [packet.as_slice(), &options].concat();
            // Not the length of the payload, which decides what is looked at.
            all[8 + bit / 8] ^= 1 << (bit % 8);
            let (mut packet, mut options) = ([0; ND_LEN], [0; OPTIONS_LEN]);
            packet.copy_from_slice(&all[..ND_LEN]);
            options.copy_from_slice(&all[ND_LEN..]);
            prop_assert_eq!(nd_asker(&packet, &options, 8, ASKER), None);
        }
    }
}

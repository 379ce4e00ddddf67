//! What is behind the tags: packets of protocols that a switch may look into, whose lengths lie.

use super::LONGEST;
use crate::{frame::ETHERTYPE, random::Random};

const IPV4: u16 = 0x0800;
const ARP: u16 = 0x0806;
const RARP: u16 = 0x8035;
const IPV6: u16 = 0x86dd;
/// MAC control: pause.
const CONTROL: u16 = 0x8808;
const LLDP: u16 = 0x88cc;

/// Types that somebody may care about, and lengths, which look like types.
const TYPES: [u16; 11] = [CONTROL, LLDP, RARP, IPV4, IPV6, ARP, 0, 1, 0x05dc, 0x0600, 0xffff];
/// Protocols of IPv4 and IPv6: ICMP, TCP, UDP, ICMP of IPv6, and extension headers of IPv6.
const PROTOCOLS: [u8; 10] = [1, 6, 6, 6, 17, 17, 58, 0, 43, 44];

/// Appends an ethertype and a packet.
pub(super) fn append(random: &mut Random, frame: &mut Vec<u8>) {
    match random.below(16) {
        0..5 => ipv4(random, frame),
        5..9 => ipv6(random, frame),
        9..11 => arp(random, frame),
        11 => bpdu(random, frame),
        12 => {
            let ethertype = *random.pick(&TYPES);
            other(random, frame, ethertype);
        }
        _ => other(random, frame, ETHERTYPE),
    }
}

/// A length that is right half of the time, and else one that invites reading beyond the end.
fn length(random: &mut Random, right: usize) -> u16 {
    let right = u16::try_from(right).unwrap_or(u16::MAX);
    match random.below(12) {
        0 => 0,
        1 => 1,
        2 => 19,
        3 => right.wrapping_sub(1),
        4 => right.wrapping_add(1),
        5 => u16::MAX,
        _ => right,
    }
}

fn ipv4(random: &mut Random, frame: &mut Vec<u8>) {
    let payload = payload_length(random);
    // Version and header length: five words, mostly.
    let first = match random.below(8) {
        0 => 0x40 | random.number().to_le_bytes()[0] & 0xf,
        1 => random.number().to_le_bytes()[0],
        _ => 0x45,
    };
    // The fragment offset and its flags.
    let fragment: u16 = match random.below(8) {
        0 => 0x2000,
        1 => 0x00b9,
        2 => 0x1fff,
        _ => 0x4000,
    };
    frame.extend(IPV4.to_be_bytes());
    frame.extend([first, 0]);
    frame.extend(length(random, 20 + payload).to_be_bytes());
    frame.extend([0, 1]);
    frame.extend(fragment.to_be_bytes());
    frame.extend([64, *random.pick(&PROTOCOLS), 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    transport(random, frame, payload);
}

fn ipv6(random: &mut Random, frame: &mut Vec<u8>) {
    let payload = payload_length(random);
    frame.extend(IPV6.to_be_bytes());
    frame.extend([if random.once_in(8) { random.number().to_le_bytes()[0] } else { 0x60 }, 0, 0, 0]);
    frame.extend(length(random, payload).to_be_bytes());
    frame.extend([*random.pick(&PROTOCOLS), 255]);
    let end = random.number().to_le_bytes()[0] % 4;
    frame.extend([0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
    frame.extend([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, end]);
    transport(random, frame, payload);
}

/// A segment, a datagram or a neighbour solicitation begins alike: with numbers.
fn transport(random: &mut Random, frame: &mut Vec<u8>, payload: usize) {
    let [a, b, c, d, flags, offset, ..] = random.number().to_le_bytes();
    let begin = [
        // Ports; or type 135 (neighbour solicitation) and 136 of ICMPv6.
        if random.once_in(4) { 135 + (a & 1) } else { a },
        b,
        c,
        d,
        // The length of a datagram lies as well.
        0,
        0,
        0,
        8,
        0,
        0,
        0,
        0,
        offset,
        flags,
    ];
    let from = frame.len();
    frame.extend(begin.into_iter().cycle().take(payload));
    if let Some(datagram_length) = frame.get_mut(from + 4..from + 6) {
        datagram_length.copy_from_slice(&length(random, payload).to_be_bytes());
    }
}

fn arp(random: &mut Random, frame: &mut Vec<u8>) {
    frame.extend(if random.once_in(8) { RARP } else { ARP }.to_be_bytes());
    let lie = |random: &mut Random, right: u8| {
        if random.once_in(6) { random.number().to_le_bytes()[0] } else { right }
    };
    frame.extend([0, lie(random, 1), lie(random, 8), 0, lie(random, 6), lie(random, 4), 0, lie(random, 1)]);
    let end = random.number().to_le_bytes()[0] % 4;
    frame.extend([2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, end]);
    // Padded, or not.
    frame.extend(std::iter::repeat_n(0, random.below(19)));
}

fn bpdu(random: &mut Random, frame: &mut Vec<u8>) {
    frame.extend(length(random, 38).to_be_bytes());
    frame.extend([0x42, 0x42, 0x03, 0, 0, random.number().to_le_bytes()[0] % 4, 0]);
    frame.extend(std::iter::repeat_n(0, 31));
}

fn other(random: &mut Random, frame: &mut Vec<u8>, ethertype: u16) {
    frame.extend(ethertype.to_be_bytes());
    let [byte, ..] = random.number().to_le_bytes();
    frame.extend(std::iter::repeat_n(byte, payload_length(random)));
}

/// Mostly short: what is looked at is in front.
fn payload_length(random: &mut Random) -> usize {
    match random.below(32) {
        0 => LONGEST - 14 - 40 - random.below(8),
        1 => random.below(1400),
        2 => 0,
        _ => random.below(64),
    }
}

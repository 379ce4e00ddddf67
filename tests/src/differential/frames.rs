//! Random frames: mostly of stations that know each other, seldom of anything else that a bridge may be sent.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use vswitch_common::addr::MacAddr;

use super::{JUMBO, PORTS};
use crate::{
    ask::{self, Discovery, arp, arp_answer, arp_question},
    frame::{CTAG, Frame, MULTICAST, STAG, station},
    random::Random,
};

/// Addresses of a station: that of its interface, and some behind it.
pub const ADDRESSES: usize = 4;

/// One of the addresses of a station.
pub fn address(port: usize, number: usize) -> MacAddr {
    station(u16::try_from(0x100 * number + port + 1).expect("few stations"))
}

/// One of the addresses of any station.
pub fn any_address(random: &mut Random) -> MacAddr {
    address(random.below(PORTS), random.below(ADDRESSES))
}

/// IP addresses that are asked for; some of them nobody has.
pub const HOSTS: u16 = 10;

/// One of them.
pub fn v4(host: u16) -> Ipv4Addr {
    Ipv4Addr::from(u32::from(Ipv4Addr::new(10, 0, 0, 0)) + u32::from(host))
}

/// The same host's other address.
pub fn v6(host: u16) -> Ipv6Addr {
    Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, host)
}

/// Any host, by its number.
pub fn any_host(random: &mut Random) -> u16 {
    u16::try_from(1 + random.below(usize::from(HOSTS))).unwrap_or(1)
}

/// A question for an address, its answer, or an announcement, from station `from`. None has a tag: what bridge and switch
/// do with those differs.
fn any_question(random: &mut Random, from: usize) -> Bytes {
    let mac = address(from, random.below(ADDRESSES));
    let (here, there) = (any_host(random), any_host(random));
    let other = any_address(random);
    match random.below(8) {
        0..3 => arp_question((mac, v4(here)), v4(there)),
        // Before it takes an address, a station asks whether somebody has it already; then it announces it.
        3 => arp_question((mac, Ipv4Addr::UNSPECIFIED), v4(there)),
        4 => {
            let announcement = arp(ask::REQUEST, (mac, v4(here)), (MacAddr::ZERO, v4(here)));
            ask::frame(MacAddr::BROADCAST, mac, ask::ARP, &announcement)
        }
        5 => arp_answer((mac, v4(here)), (other, v4(there))),
        6 => Discovery::question(mac, v6(here), v6(there)).multicast(mac),
        _ => Discovery::answer(mac, v6(here), v6(there)).unicast(mac, other),
    }
}

/// A frame that station `from` sends. `devices` are the addresses of the ports' own devices.
pub fn any_frame(random: &mut Random, from: usize, devices: &[MacAddr], number: usize) -> Bytes {
    if random.once_in(12) {
        return any_question(random, from);
    }
    let number = u32::try_from(number).expect("few frames in a burst");
    let source = match random.below(100) {
        // Somebody else's address: the station has moved.
        0..4 => any_address(random),
        4 => MacAddr::ZERO,
        5 => MULTICAST,
        6 => MacAddr::BROADCAST,
        7 => *random.pick(devices),
        _ => address(from, random.below(ADDRESSES)),
    };
    let destination = match random.below(100) {
        0..8 => MacAddr::BROADCAST,
        8..14 => MULTICAST,
        14..20 => MacAddr::new([0x01, 0x80, 0xc2, 0, 0, random.number().to_le_bytes()[0] % 20]),
        20..30 => station(0x7f0 + u16::from(random.number().to_le_bytes()[0] % 16)),
        30..38 => address(from, random.below(ADDRESSES)),
        38..42 => *random.pick(devices),
        42 => MacAddr::ZERO,
        _ => any_address(random),
    };
    let mut frame = Frame::new(source, destination).sequence(number);
    let vlan = |random: &mut Random| u16::try_from(random.below(0x1_0000)).unwrap_or(0);
    frame = match random.below(10) {
        0 => frame.tagged(CTAG, vlan(random)),
        1 => frame.tagged(CTAG, vlan(random) & 0xe000),
        2 => frame.tagged(STAG, vlan(random)),
        3 => frame.tagged(STAG, vlan(random)).tagged(CTAG, vlan(random)),
        // A tag may be cut short, or begin where there is nothing more.
        4 if random.once_in(4) => frame.ethertype(*random.pick(&[CTAG, STAG])),
        _ => frame,
    };
    let edge = if from == JUMBO { 1508 } else { 1500 };
    frame = frame.payload(match random.below(10) {
        0..3 => random.below(50),
        3..6 => edge - random.below(20),
        6 if from == JUMBO => 9000 - random.below(8),
        _ => 4 + random.below(edge - 4),
    });
    frame.build()
}

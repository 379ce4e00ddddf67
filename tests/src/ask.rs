//! Questions for the address of a neighbour, and their answers, built byte by byte.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, Bytes, BytesMut};
use vswitch_common::addr::MacAddr;

/// Ethertype of ARP.
pub const ARP: u16 = 0x0806;
/// Ethertype of IPv6.
pub const IPV6: u16 = 0x86dd;
/// ARP: who has?
pub const REQUEST: u16 = 1;
/// ARP: I have.
pub const REPLY: u16 = 2;
/// Type of a neighbour solicitation.
pub const SOLICITATION: u8 = 135;
/// Type of a neighbour advertisement.
pub const ADVERTISEMENT: u8 = 136;

/// An Ethernet frame with that payload.
pub fn frame(destination: MacAddr, source: MacAddr, ethertype: u16, payload: &[u8]) -> Bytes {
    let mut bytes = BytesMut::new();
    bytes.put_slice(&destination.octets());
    bytes.put_slice(&source.octets());
    bytes.put_u16(ethertype);
    bytes.put_slice(payload);
    bytes.freeze()
}

/// The same frame with an 802.1Q tag.
pub fn tagged(frame: &Bytes, control: u16) -> Bytes {
    let mut bytes = BytesMut::from(&frame[..12]);
    bytes.put_u16(0x8100);
    bytes.put_u16(control);
    bytes.put_slice(&frame[12..]);
    bytes.freeze()
}

/// An ARP message: what, from whom, to whom.
pub fn arp(operation: u16, from: (MacAddr, Ipv4Addr), to: (MacAddr, Ipv4Addr)) -> Vec<u8> {
    let mut message = vec![0, 1, 8, 0, 6, 4];
    message.put_u16(operation);
    for (mac, ip) in [from, to] {
        message.put_slice(&mac.octets());
        message.put_slice(&ip.octets());
    }
    message
}

/// Everybody: who has `target`? Tell `from`.
pub fn arp_question(from: (MacAddr, Ipv4Addr), target: Ipv4Addr) -> Bytes {
    frame(MacAddr::BROADCAST, from.0, ARP, &arp(REQUEST, from, (MacAddr::ZERO, target)))
}

/// The answer of `from` to who asked.
pub fn arp_answer(from: (MacAddr, Ipv4Addr), to: (MacAddr, Ipv4Addr)) -> Bytes {
    frame(to.0, from.0, ARP, &arp(REPLY, from, to))
}

/// A neighbour discovery message to be.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// [`SOLICITATION`] or [`ADVERTISEMENT`].
    pub kind: u8,
    /// The code, which is 0.
    pub code: u8,
    /// R, S and O of an advertisement.
    pub flags: u8,
    /// Sender.
    pub source: Ipv6Addr,
    /// Receiver.
    pub destination: Ipv6Addr,
    /// Whose address it is about.
    pub target: Ipv6Addr,
    /// Options, a multiple of 8 bytes.
    pub options: Vec<u8>,
    /// 255.
    pub hop_limit: u8,
}

impl Discovery {
    /// Who has `target`? With the option that says who asks.
    pub fn question(mac: MacAddr, source: Ipv6Addr, target: Ipv6Addr) -> Self {
        let [.., last] = target.segments();
        let destination = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00, last);
        let options = option(1, mac);
        Self { kind: SOLICITATION, code: 0, flags: 0, source, destination, target, options, hop_limit: 255 }
    }

    /// I have, says `mac`, which is asked for.
    pub fn answer(mac: MacAddr, target: Ipv6Addr, to: Ipv6Addr) -> Self {
        let options = option(2, mac);
        let (kind, flags) = (ADVERTISEMENT, 0x60);
        Self { kind, code: 0, flags, source: target, destination: to, target, options, hop_limit: 255 }
    }

    /// The IPv6 packet.
    pub fn packet(&self) -> Vec<u8> {
        let mut message = vec![self.kind, self.code, 0, 0, self.flags, 0, 0, 0];
        message.put_slice(&self.target.octets());
        message.put_slice(&self.options);
        let length = u16::try_from(message.len()).expect("short");
        let mut summed = [self.source.octets(), self.destination.octets()].concat();
        summed.put_u32(u32::from(length));
        summed.put_u32(58);
        summed.put_slice(&message);
        let sum: u64 = summed.chunks(2).map(|pair| u64::from(pair[0]) << 8 | u64::from(pair[1])).sum();
        let sum = u16::try_from(sum % 0xffff).expect("a remainder");
        message[2..4].copy_from_slice(&(!sum).to_be_bytes());
        let mut packet = vec![0x60, 0, 0, 0];
        packet.put_u16(length);
        packet.put_slice(&[58, self.hop_limit]);
        packet.put_slice(&self.source.octets());
        packet.put_slice(&self.destination.octets());
        packet.put_slice(&message);
        packet
    }

    /// On the wire, to the group of the target.
    pub fn multicast(&self, source: MacAddr) -> Bytes {
        let [.., a, b, c, d] = self.destination.octets();
        frame(MacAddr::new([0x33, 0x33, a, b, c, d]), source, IPV6, &self.packet())
    }

    /// On the wire, to one station.
    pub fn unicast(&self, source: MacAddr, destination: MacAddr) -> Bytes {
        frame(destination, source, IPV6, &self.packet())
    }
}

/// An option with a link-layer address: 1 = of the source, 2 = of the target.
pub fn option(kind: u8, mac: MacAddr) -> Vec<u8> {
    [&[kind, 1][..], &mac.octets()].concat()
}

//! What rules and bindings look at, read from a frame's headers.
//!
//! Nothing here trusts a length that a frame tells of itself: a header counts only if the frame has all of its bytes.

use vswitch_common::{
    acl::{AclKey, layer, words_of},
    addr::MacAddr,
    port::Slot,
    vlan::{TPID_8021AD, TPID_8021Q, VID_MASK, is_tag},
};

/// Room for the longest header that is read at once.
const CHUNK: usize = 40;

/// Some bytes of a frame, aligned so that the words in them are read as such.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Chunk(pub [u8; CHUNK]);

impl Default for Chunk {
    #[inline(always)]
    fn default() -> Self {
        Self([0; CHUNK])
    }
}

impl Chunk {
    #[inline(always)]
    fn u16(&self, at: usize) -> u16 {
        u16::from_be_bytes([self.0[at], self.0[at + 1]])
    }

    #[inline(always)]
    fn u32_ne(&self, at: usize) -> u32 {
        u32::from_ne_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }

    #[inline(always)]
    fn mac(&self, at: usize) -> MacAddr {
        let bytes = &self.0;
        MacAddr::new([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3], bytes[at + 4], bytes[at + 5]])
    }

    /// An IPv4 address as it is in [`AclKey`].
    #[inline(always)]
    fn v4(&self, at: usize) -> [u64; 2] {
        [0, V4_PREFIX | u64::from(self.u32_ne(at)) << 32]
    }

    /// An IPv6 address as it is in [`AclKey`].
    #[inline(always)]
    pub fn v6(&self, at: usize) -> [u64; 2] {
        let mut octets = [0; 16];
        octets.copy_from_slice(&self.0[at..at + 16]);
        words_of(octets)
    }
}

/// A frame whose bytes can be had from anywhere.
pub trait Bytes {
    /// Reads the first `N` bytes of a chunk, or tells that the frame does not have them all.
    fn read<const N: usize>(&self, offset: u32, to: &mut Chunk) -> bool;
}

/// The VLAN is that of the first tag in the frame; 0 if there is none.
pub const VLAN_IN_FRAME: u16 = u16::MAX;

/// Ethertype of ARP.
pub const ARP: u16 = 0x0806;
/// Ethertype of IPv4.
pub const IPV4: u16 = 0x0800;
/// Ethertype of IPv6.
pub const IPV6: u16 = 0x86dd;
/// Smaller numbers in the place of an ethertype are lengths (IEEE 802.3).
const MIN_ETHERTYPE: u16 = 0x0600;
/// `::ffff:0:0`, its second half.
const V4_PREFIX: u64 = 0xffff_0000;

/// Protocols with ports in their first four bytes.
const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDPLITE: u8 = 136;
/// ICMP of IPv6.
pub const ICMPV6: u8 = 58;

/// IPv6 extension headers.
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;
/// More of them than any stack sends; a frame with more is opaque.
pub const MAX_EXTENSIONS: u32 = 8;

/// What is known of a frame above its addresses.
#[derive(Clone, Copy, Default)]
#[repr(C)]
pub struct Packet {
    /// Where the next header begins; 0 if it is not there.
    pub at: u32,
    /// Its protocol.
    pub protocol: u8,
    /// Bits of [`layer`].
    pub layers: u8,
    /// What was read last. It is not on the stack, of which there is little.
    pub chunk: Chunk,
}

/// Reads a frame into `key`: the three steps in order.
pub fn read(bytes: &impl Bytes, vlan: u16, direction: u8, slot: Slot, key: &mut AclKey) -> u32 {
    let mut packet = Packet::default();
    start(bytes, vlan, slot, key, &mut packet);
    if has_extensions(key, &packet) {
        let _ended = (0..MAX_EXTENSIONS).any(|_| !extension(bytes, &mut packet));
    }
    transport(bytes, direction, key, &mut packet);
    packet.at
}

/// The first step: everything up to and with the addresses of layer 3.
#[inline(always)]
pub fn start(bytes: &impl Bytes, vlan: u16, slot: Slot, key: &mut AclKey, packet: &mut Packet) {
    // The other words are set at the end, whatever the frame.
    // That it is zero is hidden from the compiler, which would call a function to clear them.
    let zero = core::hint::black_box(0);
    set_addresses(key, [zero; 2], [zero; 2]);
    (packet.at, packet.protocol, packet.layers) = (0, 0, 0);
    if !bytes.read::<14>(0, &mut packet.chunk) {
        (key.words[0], key.words[1], key.words[7]) = (zero, zero, zero);
        return;
    }
    let mut vlan = vlan;
    let (destination, source) = (packet.chunk.mac(0), packet.chunk.mac(6));
    let mut ethertype = packet.chunk.u16(12);
    let mut offset = 14;
    for _ in 0..2 {
        if !is_tag(ethertype) || !bytes.read::<4>(offset, &mut packet.chunk) {
            break;
        }
        if vlan == VLAN_IN_FRAME {
            vlan = packet.chunk.u16(0) & VID_MASK;
        }
        ethertype = packet.chunk.u16(2);
        offset += 4;
    }
    if vlan == VLAN_IN_FRAME {
        vlan = 0;
    }
    if ethertype < MIN_ETHERTYPE {
        ethertype = 0;
    }
    key.set_slot(slot);
    key.set_link(source, destination, vlan, ethertype);
    match ethertype {
        IPV4 => ipv4(bytes, offset, key, packet),
        IPV6 => ipv6(bytes, offset, key, packet),
        ARP => arp(bytes, offset, key, packet),
        TPID_8021Q | TPID_8021AD => packet.layers = layer::OPAQUE,
        _ => {}
    }
}

#[inline(always)]
fn set_addresses(key: &mut AclKey, [a, b]: [u64; 2], [c, d]: [u64; 2]) {
    key.words[2] = a;
    key.words[3] = b;
    key.words[4] = c;
    key.words[5] = d;
}

#[inline(always)]
fn arp(bytes: &impl Bytes, offset: u32, key: &mut AclKey, packet: &mut Packet) {
    // Ethernet and IPv4; no other combination is in use, so whatever else it is, it is nobody's.
    let known = bytes.read::<28>(offset, &mut packet.chunk)
        && packet.chunk.u16(0) == 1
        && packet.chunk.u16(2) == IPV4
        && packet.chunk.u16(4) == 0x0604;
    if !known {
        packet.layers |= layer::ARP_FOREIGN;
        return;
    }
    let header = &packet.chunk;
    if header.mac(8).to_bits() != key.source().to_bits() {
        packet.layers |= layer::ARP_FOREIGN;
    }
    let header = &packet.chunk;
    set_addresses(key, header.v4(14), header.v4(24));
}

#[inline(always)]
fn ipv4(bytes: &impl Bytes, offset: u32, key: &mut AclKey, packet: &mut Packet) {
    if !bytes.read::<20>(offset, &mut packet.chunk) {
        return;
    }
    let first = packet.chunk.0[0];
    if first >> 4 != 4 || first & 15 < 5 {
        return;
    }
    set_addresses(key, packet.chunk.v4(12), packet.chunk.v4(16));
    packet.layers |= layer::IP;
    packet.protocol = packet.chunk.0[9];
    packet.at = offset + u32::from(first & 15) * 4;
    let fragment = packet.chunk.u16(6);
    if fragment & 0x3fff != 0 {
        fragmented(packet, fragment & 0x1fff);
    }
}

/// Notes a fragment; its offset is in units of eight bytes.
#[inline(always)]
fn fragmented(packet: &mut Packet, offset: u16) {
    packet.layers |= layer::FRAGMENT;
    if offset != 0 {
        packet.layers |= layer::LATER;
        packet.at = 0;
        // It would write over the flags of the first (RFC 3128).
        if offset == 1 && packet.protocol == TCP {
            packet.layers |= layer::OPAQUE;
        }
    }
}

#[inline(always)]
fn ipv6(bytes: &impl Bytes, offset: u32, key: &mut AclKey, packet: &mut Packet) {
    if !bytes.read::<40>(offset, &mut packet.chunk) || packet.chunk.0[0] >> 4 != 6 {
        return;
    }
    set_addresses(key, packet.chunk.v6(8), packet.chunk.v6(24));
    packet.layers |= layer::IP;
    packet.protocol = packet.chunk.0[6];
    packet.at = offset + 40;
}

/// Whether the second step is needed: [`extension`], as long as it says so, [`MAX_EXTENSIONS`] times at most.
#[inline(always)]
pub fn has_extensions(key: &AclKey, packet: &Packet) -> bool {
    key.ethertype() == IPV6 && packet.at != 0 && is_extension(packet.protocol)
}

/// Steps over one extension header; `false` if there is no further one to be stepped over.
#[inline(always)]
pub fn extension(bytes: &impl Bytes, packet: &mut Packet) -> bool {
    if !bytes.read::<8>(packet.at, &mut packet.chunk) {
        return false;
    }
    let kind = packet.protocol;
    packet.protocol = packet.chunk.0[0];
    let units = u32::from(packet.chunk.0[1]);
    if kind == FRAGMENT {
        packet.at += 8;
        let fragment = packet.chunk.u16(2);
        // Neither an offset nor more to come: whole (RFC 6946).
        if fragment & 0xfff9 != 0 {
            fragmented(packet, fragment >> 3);
        }
    } else if kind == AUTHENTICATION {
        packet.at += (units + 2) * 4;
    } else {
        packet.at += (units + 1) * 8;
    }
    packet.at != 0 && is_extension(packet.protocol)
}

#[inline(always)]
fn is_extension(protocol: u8) -> bool {
    matches!(protocol, HOP_BY_HOP | ROUTING | FRAGMENT | AUTHENTICATION | DESTINATION)
}

/// The last step: ports and flags.
#[inline(always)]
pub fn transport(bytes: &impl Bytes, direction: u8, key: &mut AclKey, packet: &mut Packet) {
    if key.ethertype() == IPV6 && packet.at != 0 && is_extension(packet.protocol) {
        // The walk has ended before its time.
        packet.layers |= layer::OPAQUE;
        packet.at = 0;
    }
    let Packet { at, protocol, mut layers, .. } = *packet;
    let mut ports = (0, 0);
    let mut flags = 0;
    if at != 0 {
        let chunk = &mut packet.chunk;
        match protocol {
            TCP => {
                if bytes.read::<14>(at, chunk) {
                    ports = (chunk.u16(0), chunk.u16(2));
                    flags = chunk.0[13];
                    layers |= layer::PORTS | layer::TCP;
                } else if layers & layer::FRAGMENT != 0 {
                    // The rest of the header is in a later fragment (RFC 1858).
                    layers |= layer::OPAQUE;
                }
            }
            UDP | DCCP | SCTP | UDPLITE => {
                if bytes.read::<4>(at, chunk) {
                    ports = (chunk.u16(0), chunk.u16(2));
                    layers |= layer::PORTS;
                } else if layers & layer::FRAGMENT != 0 {
                    layers |= layer::OPAQUE;
                }
            }
            // Router solicitation, neighbour solicitation and advertisement.
            ICMPV6 if bytes.read::<4>(at, chunk) && matches!(chunk.0[0], 133 | 135 | 136) => {
                layers |= layer::NEIGHBOUR;
            }
            _ => {}
        }
    }
    key.set_transport(ports, (protocol, flags), layers, direction);
}

#[cfg(test)]
#[path = "headers_test.rs"]
mod tests;

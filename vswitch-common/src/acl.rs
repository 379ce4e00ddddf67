//! Access control lists and bindings.
//!
//! A list is compiled by the controller for a *tuple space search*: rules that look at the same bits share a mask, and
//! for each mask one look-up of the masked frame finds the first of them that matches. Masks are sorted by the best rank
//! of their rules, so the search ends as soon as no later mask can win. There are two banks of everything: a change fills
//! the one that is not in force and flips [`acl_bank`](crate::config::SwitchConfig::acl_bank).
#![expect(clippy::cast_possible_truncation, reason = "fields are cut out of words")]

use crate::{addr::MacAddr, port::Slot};

/// What of a frame rules can look at, in eight words; also a mask of it, and the key of a rule.
///
/// | word | bits 0–15 | 16–31 | 32–47 | 48–63 |
/// |---|---|---|---|---|
/// | 0 | source MAC | … | … | VLAN |
/// | 1 | destination MAC | … | … | ethertype |
/// | 2, 3 | source address as on the wire (IPv4 as `::ffff:a.b.c.d`) | … | … | … |
/// | 4, 5 | destination address | … | … | … |
/// | 6 | source port | destination port | protocol, TCP flags | [`layer`], direction |
/// | 7 | port (slot) | place of the mask | bank | 0 |
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AclKey {
    /// The words.
    pub words: [u64; 8],
}

const _: () = assert!(size_of::<AclKey>() == 64);

/// Bits that say how far a frame could be read.
pub mod layer {
    /// It has an IP header.
    pub const IP: u8 = 1;
    /// Its ports are known.
    pub const PORTS: u8 = 1 << 1;
    /// Its TCP flags are known.
    pub const TCP: u8 = 1 << 2;
    /// It is a fragment.
    pub const FRAGMENT: u8 = 1 << 3;
    /// It is a fragment other than the first.
    pub const LATER: u8 = 1 << 4;
    /// An ARP frame whose sender is not the source of the frame.
    pub const ARP_FOREIGN: u8 = 1 << 5;
    /// Its headers hide what it is: rules could be evaded by it.
    pub const OPAQUE: u8 = 1 << 6;
    /// An `ICMPv6` message that binds an address to a MAC address.
    pub const NEIGHBOUR: u8 = 1 << 7;
}

/// Whether rules are for what a port receives or for what it sends; the byte in [`AclKey`].
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Direction {
    /// Received by the port.
    In = 0,
    /// Sent by the port.
    Out = 1,
}

impl Direction {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::In => "in",
            Self::Out => "out",
        }
    }

    /// From the byte in the map.
    pub const fn from_u8(value: u8) -> Self {
        if value == 0 { Self::In } else { Self::Out }
    }
}

impl AclKey {
    /// Nothing; the mask that looks at nothing.
    pub const EMPTY: Self = Self { words: [0; 8] };

    /// The two MAC addresses, the VLAN and the ethertype.
    #[inline(always)]
    pub const fn set_link(&mut self, source: MacAddr, destination: MacAddr, vlan: u16, ethertype: u16) {
        self.words[0] = source.to_bits() | (vlan as u64) << 48;
        self.words[1] = destination.to_bits() | (ethertype as u64) << 48;
    }

    /// Ports, protocol, flags, layers and direction.
    #[inline(always)]
    pub const fn set_transport(
        &mut self,
        (source, destination): (u16, u16),
        (protocol, flags): (u8, u8),
        layers: u8,
        direction: u8,
    ) {
        self.words[6] = source as u64
            | (destination as u64) << 16
            | (protocol as u64) << 32
            | (flags as u64) << 40
            | (layers as u64) << 48
            | (direction as u64) << 56;
    }

    /// The port.
    #[inline(always)]
    pub const fn set_slot(&mut self, slot: Slot) {
        self.words[7] = slot as u64;
    }

    /// The source address of the frame.
    #[inline(always)]
    pub const fn source(&self) -> MacAddr {
        MacAddr::from_bits(self.words[0])
    }

    /// The ethertype.
    #[inline(always)]
    pub const fn ethertype(&self) -> u16 {
        (self.words[1] >> 48) as u16
    }

    /// Source and destination port.
    #[inline(always)]
    pub const fn ports(&self) -> (u16, u16) {
        (self.words[6] as u16, (self.words[6] >> 16) as u16)
    }

    /// The protocol.
    #[inline(always)]
    pub const fn protocol(&self) -> u8 {
        (self.words[6] >> 32) as u8
    }

    /// Bits of [`layer`].
    #[inline(always)]
    pub const fn layers(&self) -> u8 {
        (self.words[6] >> 48) as u8
    }

    /// The port.
    #[inline(always)]
    pub const fn slot(&self) -> Slot {
        self.words[7] as Slot
    }

    /// What a mask leaves of this.
    #[must_use]
    #[inline(always)]
    pub fn masked(&self, mask: &Self) -> Self {
        let mut words = self.words;
        for (word, mask) in words.iter_mut().zip(mask.words) {
            *word &= mask;
        }
        Self { words }
    }

    /// What keeps the rules of different masks and banks apart, for the last word.
    #[inline(always)]
    pub const fn place(bank: u16, mask: u16) -> u64 {
        (mask as u64) << 16 | (bank as u64) << 32
    }

    /// The bank of a rule's key.
    pub const fn bank(&self) -> u16 {
        (self.words[7] >> 32) as u16
    }

    /// The place in the flow table that a frame falls into.
    #[inline(always)]
    pub const fn index(&self) -> u32 {
        let [a, b, c, d, e, f, g, h] = self.words;
        // Ports and the lower halves of addresses differ most; all words take part.
        let mixed = a ^ b.rotate_left(7) ^ c ^ d.rotate_left(13) ^ e.rotate_left(19) ^ f.rotate_left(29);
        let mixed = (mixed ^ g.rotate_left(37) ^ h).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (mixed >> (64 - ACL_FLOW_SLOTS.trailing_zeros())) as u32
    }
}

/// One row of `ACL_MASKS`, at [`ACL_MASKS_MAX`] × bank + place.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclMask {
    /// The bits that its rules look at.
    pub mask: AclKey,
    /// The best (lowest) rank of its rules.
    pub rank: u16,
    /// A [`MaskKind`].
    pub kind: u8,
    /// Padding, always zero.
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<AclMask>() == 72);

impl AclMask {
    /// The row behind the last one.
    pub const END: Self =
        Self { mask: AclKey::EMPTY, rank: u16::MAX, kind: MaskKind::End as u8, reserved: [0; 5] };
}

/// What the rules of a mask are for.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MaskKind {
    /// There are no more masks.
    End = 0,
    /// They allow or deny.
    Decide = 1,
    /// They count, and the search goes on.
    Count = 2,
}

/// One row of `ACL_RULES`: the best rule with these masked bits.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclRule {
    /// Its place in the list; lower ones win.
    pub rank: u16,
    /// Its row in `ACL_COUNTS`.
    pub counter: u16,
    /// 1 = frames are denied.
    pub denies: u8,
    /// 1 = it is told about.
    pub logs: u8,
    /// Padding, always zero.
    pub reserved: u16,
}

const _: () = assert!(size_of::<AclRule>() == 8);

/// One row of `ACL_COUNTS`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AclCount {
    /// Frames that the rule matched; a GSO aggregate counts as one.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

const _: () = assert!(size_of::<AclCount>() == 16);

/// One row of `ACL_FLOWS`: what was found for a frame like this.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclFlow {
    /// The frame.
    pub key: AclKey,
    /// As in [`FlowEntry`](crate::flow::FlowEntry).
    pub generation: u32,
    /// As in [`FlowEntry`](crate::flow::FlowEntry).
    pub period: u32,
    /// The rule that decided, as a row of `ACL_COUNTS`, or [`AclFlow::NO_RULE`].
    pub counter: u16,
    /// 0 = passes, else 1 + the number of the [`DropReason`](crate::drop::DropReason).
    pub verdict: u16,
    /// Number of rules in `counters`.
    pub counted: u32,
    /// The rules that only count, as rows of `ACL_COUNTS`.
    pub counters: [u16; COUNT_MASKS_MAX],
}

const _: () = assert!(size_of::<AclFlow>() == 112);

impl AclFlow {
    /// No rule decided.
    pub const NO_RULE: u16 = u16::MAX;
}

/// What a rule says, one row of `ACL_SPECS`: the controller's memory. Which fields count is in `fields`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AclSpec {
    /// Source MAC address, and the bits of it that count.
    pub source_mac: [MacAddr; 2],
    /// Destination MAC address, and the bits of it that count.
    pub destination_mac: [MacAddr; 2],
    /// Source address; IPv4 as `::ffff:a.b.c.d`.
    pub source: [u8; 16],
    /// Destination address.
    pub destination: [u8; 16],
    /// Bits of [`field`].
    pub fields: u32,
    /// Its row in `ACL_COUNTS`.
    pub counter: u16,
    /// The port; 0 = all.
    pub slot: Slot,
    /// Source ports, first and last.
    pub source_ports: [u16; 2],
    /// Destination ports, first and last.
    pub destination_ports: [u16; 2],
    /// VLAN.
    pub vlan: u16,
    /// Ethertype.
    pub ethertype: u16,
    /// Protocol.
    pub protocol: u8,
    /// TCP flags, and those that count.
    pub flags: [u8; 2],
    /// 1 no fragment, 2 any, 3 first, 4 later.
    pub fragment: u8,
    /// Length of the source prefix, of 128 bits.
    pub source_prefix: u8,
    /// Length of the destination prefix, of 128 bits.
    pub destination_prefix: u8,
    /// 0 allow, 1 deny, 2 count.
    pub action: u8,
    /// A [`Direction`].
    pub direction: u8,
}

const _: () = assert!(size_of::<AclSpec>() == 96);

/// Bits of [`AclSpec::fields`].
pub mod field {
    /// Source MAC address.
    pub const SOURCE_MAC: u32 = 1;
    /// Destination MAC address.
    pub const DESTINATION_MAC: u32 = 1 << 1;
    /// VLAN.
    pub const VLAN: u32 = 1 << 2;
    /// Ethertype.
    pub const ETHERTYPE: u32 = 1 << 3;
    /// Source address.
    pub const SOURCE: u32 = 1 << 4;
    /// Destination address.
    pub const DESTINATION: u32 = 1 << 5;
    /// Protocol.
    pub const PROTOCOL: u32 = 1 << 6;
    /// Source ports.
    pub const SOURCE_PORTS: u32 = 1 << 7;
    /// Destination ports.
    pub const DESTINATION_PORTS: u32 = 1 << 8;
    /// TCP flags.
    pub const FLAGS: u32 = 1 << 9;
    /// Fragments.
    pub const FRAGMENT: u32 = 1 << 10;
    /// It is no match: the rule is told about.
    pub const LOG: u32 = 1 << 11;
}

/// Key of the `BINDINGS` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BindingKey {
    /// An IPv6 address, an IPv4 address as `::ffff:a.b.c.d`, or the octets of a MAC address and zeroes.
    pub address: [u64; 2],
    /// The port.
    pub slot: Slot,
    /// 1 for a MAC address, 0 for an address of IP.
    pub is_mac: u16,
    /// Padding, always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<BindingKey>() == 24);

impl BindingKey {
    /// A MAC address.
    #[inline(always)]
    pub const fn mac(slot: Slot, mac: MacAddr) -> Self {
        Self { address: [mac.to_bits(), 0], slot, is_mac: 1, reserved: 0 }
    }

    /// An address of IP, as in [`AclKey`].
    #[inline(always)]
    pub const fn ip(slot: Slot, address: [u64; 2]) -> Self {
        Self { address, slot, is_mac: 0, reserved: 0 }
    }

    /// There is at least one address of IP: others are not the port's.
    #[inline(always)]
    pub fn any_ip(slot: Slot) -> Self {
        // Hidden from the compiler, which would call a function to clear sixteen bytes.
        let zero = core::hint::black_box(0);
        Self::ip(slot, [zero; 2])
    }
}

/// An address as it is in [`AclKey`]: the octets on the wire, in memory order.
#[inline(always)]
pub const fn words_of(octets: [u8; 16]) -> [u64; 2] {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = octets;
    [u64::from_ne_bytes([a, b, c, d, e, f, g, h]), u64::from_ne_bytes([i, j, k, l, m, n, o, p])]
}

/// The octets of an address in [`AclKey`].
#[inline(always)]
pub const fn octets_of([high, low]: [u64; 2]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h] = high.to_ne_bytes();
    let [i, j, k, l, m, n, o, p] = low.to_ne_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p]
}

/// Rules of a switch.
pub const ACL_RULES_MAX: u32 = 4096;
/// Keys that the rules of a switch may need: ranges of ports take several.
pub const ACL_KEYS_MAX: u32 = 16_384;
/// Masks that the rules of a switch may need: this many look-ups at most decide about a frame.
pub const ACL_MASKS_MAX: u32 = 256;
/// Of these, masks of rules that only count.
pub const COUNT_MASKS_MAX: usize = 16;
/// Counters: twice the rules, so that a new list never counts in rows of the one that it replaces.
pub const ACL_COUNTERS: u32 = 2 * ACL_RULES_MAX;
/// Slots of the policy cache per CPU; a power of two.
pub const ACL_FLOW_SLOTS: u32 = 256;
/// Addresses bound to the ports of a switch.
pub const BINDINGS_SIZE: u32 = 65_536;

const _: () = assert!(ACL_FLOW_SLOTS.is_power_of_two() && ACL_COUNTERS < AclFlow::NO_RULE as u32);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_frame_has_a_slot_and_a_place(words: [u64; 8], mask: [u64; 8]) {
            let key = AclKey { words };
            prop_assert!(key.index() < ACL_FLOW_SLOTS);
            let masked = key.masked(&AclKey { words: mask });
            prop_assert_eq!(masked.masked(&AclKey { words: mask }), masked);
        }

        #[test]
        fn what_is_set_is_read(source: (u16, u16), protocol: u8, layers: u8, slot: u16, octets: [u8; 16]) {
            let mut key = AclKey::EMPTY;
            key.set_transport(source, (protocol, 0xff), layers, 1);
            key.set_slot(slot);
            prop_assert_eq!((key.ports(), key.protocol(), key.layers(), key.slot()), (source, protocol, layers, slot));
            prop_assert_eq!(octets_of(words_of(octets)), octets);
        }
    }
}

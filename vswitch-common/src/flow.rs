//! The flow verdict cache: the answers of the slow path, for about a second each.

use crate::{addr::MacAddr, map::FLOW_SLOTS, port::Slot};

/// One slot of the `FLOWS` map. A hit replaces the source lookup, the destination lookup and every policy check.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowEntry {
    /// Source address in the low 48 bits, VLAN in the high 16.
    pub source: u64,
    /// Destination address in the low 48 bits; the high 16 are zero.
    pub destination: u64,
    /// Interface by which the frame came.
    pub ingress_ifindex: u32,
    /// Interface by which it leaves.
    pub egress_ifindex: u32,
    /// Sum of both generations when the verdict was made.
    pub generation: u32,
    /// `jiffies >> cache_shift` when the verdict was made, cut to 32 bits.
    pub period: u32,
    /// Port by which the frame came.
    pub ingress_slot: Slot,
    /// Port by which it leaves.
    pub egress_slot: Slot,
    /// MTU of the egress device, in bytes of layer 3; the verdict is not used for longer frames.
    pub mtu: u32,
    /// [`crate::port::Redirect`], decided.
    pub redirect: u32,
    /// Padding, always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<FlowEntry>() == 48);

impl FlowEntry {
    /// The cached source key.
    #[inline(always)]
    pub const fn source_key(mac: MacAddr, vlan: u16) -> u64 {
        mac.to_bits() | (vlan as u64) << 48
    }

    /// The slot that a flow falls into. Only the last octets are mixed: within a switch they differ most.
    #[inline(always)]
    pub const fn index(source: MacAddr, destination: MacAddr, ingress_ifindex: u32) -> u32 {
        let mixed = (source.to_bits() >> 16) as u32 ^ ((destination.to_bits() >> 16) as u32).rotate_left(5)
            ^ ingress_ifindex;
        mixed.wrapping_mul(0x9e37_79b1) >> (32 - FLOW_SLOTS.trailing_zeros())
    }

    /// Whether this slot holds a verdict for exactly this flow, made in this generation and period.
    #[inline(always)]
    pub const fn matches(&self, key: &FlowKey, generation: u32, period: u32) -> bool {
        (self.source ^ key.source) | (self.destination ^ key.destination) == 0
            && self.ingress_ifindex == key.ingress_ifindex
            && self.generation == generation
            && self.period == period
    }
}

/// What identifies a flow for the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    /// See [`FlowEntry::source`].
    pub source: u64,
    /// See [`FlowEntry::destination`].
    pub destination: u64,
    /// See [`FlowEntry::ingress_ifindex`].
    pub ingress_ifindex: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn index_is_a_slot(a: [u8; 6], b: [u8; 6], ifindex: u32) {
            prop_assert!(FlowEntry::index(MacAddr::new(a), MacAddr::new(b), ifindex) < FLOW_SLOTS);
        }
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let key = FlowKey { source: 1, destination: 2, ingress_ifindex: 3 };
        let entry = FlowEntry {
            source: 1,
            destination: 2,
            ingress_ifindex: 3,
            egress_ifindex: 4,
            generation: 5,
            period: 6,
            ingress_slot: 1,
            egress_slot: 2,
            mtu: 1500,
            redirect: 0,
            reserved: 0,
        };
        assert!(entry.matches(&key, 5, 6));
        assert!(!entry.matches(&key, 4, 6));
        assert!(!entry.matches(&key, 5, 7));
        assert!(!entry.matches(&FlowKey { source: 9, ..key }, 5, 6));
        assert!(!entry.matches(&FlowKey { destination: 9, ..key }, 5, 6));
        assert!(!entry.matches(&FlowKey { ingress_ifindex: 9, ..key }, 5, 6));
    }
}

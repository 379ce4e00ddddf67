//! The flow verdict cache: the answers of the slow path, for about a second each.

use crate::{fdb::FdbKey, map::FLOW_SLOTS, port::Slot};

/// One slot of the `FLOWS` map. A hit replaces the source lookup, the destination lookup and every policy check.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowEntry {
    /// Source address and the frame's outer tag as it came ([`crate::vlan::Tag`]); 0 without VLAN filtering.
    pub source: FdbKey,
    /// Destination address.
    pub destination: FdbKey,
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
    pub redirect: u8,
    /// Bits of [`work`]: what each frame of the flow has to go through besides; 0 for a plain flow.
    pub work: u8,
    /// A [`Retag`](crate::vlan::Retag), as bits.
    pub retag: u16,
    /// VLAN of the flow; 0 without VLAN filtering.
    pub vlan: u16,
    /// Padding, always zero.
    pub reserved: u16,
}

/// Bits of [`FlowEntry::work`].
pub mod work {
    /// The meter of the ingress port.
    pub const POLICE_IN: u8 = 1;
    /// The meter of the egress port.
    pub const POLICE_OUT: u8 = 1 << 1;
    /// Rules and bindings that look at more than addresses and VLAN.
    pub const POLICY: u8 = 1 << 2;
    /// Copies for mirror sessions.
    pub const MIRROR: u8 = 1 << 3;
    /// The tag changes on the way.
    pub const RETAG: u8 = 1 << 4;
    /// Counters for each port and VLAN.
    pub const VLAN_STATS: u8 = 1 << 5;
}

const _: () = assert!(size_of::<FlowEntry>() == 48);

impl FlowEntry {
    /// Whether this slot holds a verdict for exactly this flow.
    #[inline(always)]
    pub const fn is_of(&self, key: &FlowKey) -> bool {
        (self.source.to_bits() ^ key.source.to_bits())
            | (self.destination.to_bits() ^ key.destination.to_bits())
            == 0
            && self.ingress_ifindex == key.ingress_ifindex
    }

    /// Whether the verdict was made in this generation and period.
    #[inline(always)]
    pub const fn is_valid(&self, generation: u32, period: u32) -> bool {
        self.generation == generation && self.period == period
    }
}

/// What identifies a flow for the switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    /// See [`FlowEntry::source`].
    pub source: FdbKey,
    /// See [`FlowEntry::destination`].
    pub destination: FdbKey,
    /// See [`FlowEntry::ingress_ifindex`].
    pub ingress_ifindex: u32,
}

impl FlowKey {
    /// The cache slot that the flow falls into: a multiplicative hash of the octets in which stations of one switch
    /// differ most.
    #[inline(always)]
    pub const fn index(&self) -> u32 {
        let source = self.source.low_octets();
        let destination = self.destination.low_octets();
        let mixed = source ^ destination.rotate_left(5) ^ self.ingress_ifindex;
        mixed.wrapping_mul(0x9e37_79b1) >> (32 - FLOW_SLOTS.trailing_zeros())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::addr::MacAddr;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn index_is_a_slot(a: [u8; 6], b: [u8; 6], ifindex: u32) {
            let key = FlowKey {
                source: FdbKey::new(MacAddr::new(a), 0),
                destination: FdbKey::new(MacAddr::new(b), 0),
                ingress_ifindex: ifindex,
            };
            prop_assert!(key.index() < FLOW_SLOTS);
        }
    }

    #[test]
    fn every_part_of_the_key_counts() {
        let [one, two, nine] = [1, 2, 9].map(|last| FdbKey::new(MacAddr::new([2, 0, 0, 0, 0, last]), 0));
        let key = FlowKey { source: one, destination: two, ingress_ifindex: 3 };
        let entry = FlowEntry {
            source: one,
            destination: two,
            ingress_ifindex: 3,
            egress_ifindex: 4,
            generation: 5,
            period: 6,
            ingress_slot: 1,
            egress_slot: 2,
            mtu: 1500,
            redirect: 0,
            work: 0,
            retag: 0,
            vlan: 0,
            reserved: 0,
        };
        assert!(entry.is_of(&key) && entry.is_valid(5, 6));
        assert!(!entry.is_valid(4, 6) && !entry.is_valid(5, 7));
        assert!(!entry.is_of(&FlowKey { source: nine, ..key }));
        assert!(!entry.is_of(&FlowKey { destination: nine, ..key }));
        assert!(!entry.is_of(&FlowKey { ingress_ifindex: 9, ..key }));
    }
}

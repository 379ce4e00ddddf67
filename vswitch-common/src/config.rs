//! What holds for a switch as a whole.

/// The controller's wishes, one per switch. The program only reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchConfig {
    /// Lifetime of a dynamic FDB entry after its last frame, in jiffies; 0 = for ever.
    pub ageing_jiffies: u64,
    /// Cookie of the network namespace in which the port devices live (`SO_NETNS_COOKIE`, Linux 5.14).
    pub netns_cookie: u64,
    /// Bumped by the controller after every change that could alter a verdict. See [`SwitchState::generation`].
    pub generation: u32,
    /// The flood loop visits the slots 1 to this one (inclusive).
    pub high_slot: u32,
    /// Bit X set: frames to `01:80:c2:00:00:0X` are forwarded rather than handed to the host, or, for pause frames (1),
    /// dropped. Bit 0 changes nothing: without spanning tree its frames are always forwarded.
    pub group_fwd_mask: u16,
    /// A cached verdict is good for `1 << cache_shift` jiffies at most.
    pub cache_shift: u8,
    /// Slow-path log: 0 off, else the numbers of `log::Level` (1 error … 5 trace).
    pub log_level: u8,
    /// Clock frequency of the kernel that runs this switch, jiffies per second.
    pub hz: u32,
    /// Addresses that the FDB holds.
    pub fdb_size: u32,
    /// Rows of the port tables.
    pub port_slots: u32,
    /// Bits of [`switch_flag`].
    pub flags: u32,
    /// Learned addresses that each port may have whatever the others do; what a port has beyond it is borrowed.
    pub fdb_share: u32,
    /// How long a guard keeps a port shut, in jiffies.
    pub hold_jiffies: u32,
    /// Moves of one address within a second beyond which the move guard of a port acts.
    pub move_limit: u16,
    /// The VLAN of untagged frames at a port that is made without `pvid`; for the controller.
    pub default_pvid: u16,
    /// Which half of the ACL tables is in force: 0 or 1.
    pub acl_bank: u16,
    /// Number of masks in it; 0 = no rules.
    pub acl_masks: u16,
    /// Bit X set: mirror session X copies frames of its VLAN, whatever the port.
    pub mirrors: u8,
    /// Padding, always zero.
    pub reserved: [u8; 3],
}

const _: () = assert!(size_of::<SwitchConfig>() == 64);

/// Bits of [`SwitchConfig::flags`].
pub mod switch_flag {
    /// Frames stay within their VLAN.
    pub const VLAN_FILTERING: u32 = 1;
    /// Tags are those of 802.1ad (`0x88a8`) rather than of 802.1Q; others are payload.
    pub const VLAN_8021AD: u32 = 1 << 1;
    /// At least one port has `neigh-suppress`, `proxy-arp` or `proxy-arp-wifi`: questions for addresses are looked at.
    pub const NEIGH: u32 = 1 << 2;
    /// Nothing is learned from link-local frames that are handed to the host.
    pub const NO_LINKLOCAL_LEARN: u32 = 1 << 3;
    /// Frames are counted for each port and VLAN.
    pub const VLAN_STATS: u32 = 1 << 4;
    /// At least one port has `neigh-suppress`.
    pub const NEIGH_SUPPRESS: u32 = 1 << 5;
}

impl SwitchConfig {
    /// Longest life of a cached verdict as a power of two of jiffies: about a second at 250 Hz.
    pub const MAX_CACHE_SHIFT: u8 = 8;

    /// Whether all bits of `flag` are set.
    #[inline(always)]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag == flag
    }

    /// The cache life that suits an ageing time: an eighth of it at most, so that the refresh of an entry's
    /// time stamp, which is only done on the slow path, is never late by more than that.
    pub const fn cache_shift_for(ageing_jiffies: u64) -> u8 {
        let eighth = ageing_jiffies / 8;
        if ageing_jiffies == 0 {
            return Self::MAX_CACHE_SHIFT;
        }
        if eighth == 0 {
            return 0;
        }
        let mut shift = 0;
        while shift < Self::MAX_CACHE_SHIFT && (2 << shift) <= eighth {
            shift += 1;
        }
        shift
    }
}

/// The program's own notes, one per switch. The controller only reads it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SwitchState {
    /// Bumped by the program when an address moves or a device turns out to be gone. A verdict is valid as long as
    /// the *sum* of both generations stands: each has one kind of writer, so neither bump can be lost.
    /// Words of 64 bits here, because the BPF target has no other atomic ones.
    pub generation: u64,
    /// Addresses that were not learned because the FDB was full.
    pub fdb_full: u64,
    /// Jiffies at the last run of the clock program.
    pub jiffies: u64,
    /// Addresses that were not learned because their port had as many as it may.
    pub fdb_limited: u64,
    /// Learned addresses that are in the FDB, those that count no more included.
    pub learned: u64,
    /// Addresses in it that the user or a control plane has added.
    pub added: u64,
    /// Jiffies at the last long search of the FDB that found nothing: there is one in each tick at most.
    pub searched: u64,
}

const _: () = assert!(size_of::<SwitchState>() == 56);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn cache_life_suits_the_ageing_time() {
        assert_eq!(SwitchConfig::cache_shift_for(0), 8);
        assert_eq!(SwitchConfig::cache_shift_for(300 * 250), 8);
        assert_eq!(SwitchConfig::cache_shift_for(250), 4);
        assert_eq!(SwitchConfig::cache_shift_for(1), 0);
    }

    proptest! {
        #[test]
        fn cache_life_is_an_eighth_at_most(ageing in 8u64..u64::from(u32::MAX)) {
            prop_assert!(1 << SwitchConfig::cache_shift_for(ageing) <= ageing / 8);
        }
    }
}

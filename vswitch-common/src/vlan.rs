//! Virtual LANs: who is in which, and what becomes of a frame's tag.

use crate::port::Slot;

/// Tag protocol identifier of 802.1Q.
pub const TPID_8021Q: u16 = 0x8100;
/// Tag protocol identifier of 802.1ad.
pub const TPID_8021AD: u16 = 0x88a8;
/// Bits of the tag control information that are the VLAN identifier.
pub const VID_MASK: u16 = 0xfff;
/// The highest VLAN identifier; 0 means "priority only" and 4095 is reserved.
pub const MAX_VID: u16 = 4094;

/// Whether an ethertype announces a tag.
#[inline(always)]
pub const fn is_tag(ethertype: u16) -> bool {
    matches!(ethertype, TPID_8021Q | TPID_8021AD)
}

/// The outer tag of a frame, as far as it matters to the switch: none, or one of the switch's protocol.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag(u16);

impl Tag {
    /// No tag, or one of another protocol, which is payload.
    pub const NONE: Self = Self(0);
    const PRESENT: u16 = 0x1000;
    /// Behind the outer tag is another one.
    const STACKED: u16 = 0x2000;

    /// A tag with this tag control information; only the VLAN identifier is kept.
    #[inline(always)]
    pub const fn new(control: u16, is_stacked: bool) -> Self {
        Self(control & VID_MASK | Self::PRESENT | if is_stacked { Self::STACKED } else { 0 })
    }

    /// Whether there is one.
    #[inline(always)]
    pub const fn is_present(self) -> bool {
        self.0 & Self::PRESENT != 0
    }

    /// Whether there is another one behind it.
    #[inline(always)]
    pub const fn is_stacked(self) -> bool {
        self.0 & Self::STACKED != 0
    }

    /// VLAN identifier; 0 for a priority tag and for none.
    #[inline(always)]
    pub const fn vid(self) -> u16 {
        self.0 & VID_MASK
    }

    /// All of it, for comparisons; differs for any two tags.
    #[inline(always)]
    pub const fn to_bits(self) -> u16 {
        self.0
    }
}

/// What becomes of the outer tag when a frame leaves.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retag(u16);

impl Retag {
    /// It stays as it is, or is not there.
    pub const KEEP: Self = Self(0);
    /// It goes.
    pub const POP: Self = Self(0x1000);

    /// It gets this VLAN identifier and keeps its priority; a frame without a tag gets one of priority 0.
    #[inline(always)]
    pub const fn set(vid: u16) -> Self {
        Self(0x2000 | vid & VID_MASK)
    }

    /// From the bits in a map.
    #[inline(always)]
    pub const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// As bits.
    #[inline(always)]
    pub const fn to_bits(self) -> u16 {
        self.0
    }

    /// Whether nothing changes.
    #[inline(always)]
    pub const fn is_keep(self) -> bool {
        self.0 == 0
    }

    /// The new VLAN identifier, if there is one.
    #[inline(always)]
    pub const fn vid(self) -> Option<u16> {
        if self.0 & 0x2000 != 0 { Some(self.0 & VID_MASK) } else { None }
    }
}

/// One row of the `VLANS` map: one bit for each VLAN identifier.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortVlans {
    /// The port is in the VLAN.
    pub member: [u64; 64],
    /// Its frames leave without a tag.
    pub untagged: [u64; 64],
}

const _: () = assert!(size_of::<PortVlans>() == 1024);

impl PortVlans {
    /// In no VLAN.
    pub const EMPTY: Self = Self { member: [0; 64], untagged: [0; 64] };

    /// Whether the port is in a VLAN.
    #[inline(always)]
    pub const fn is_member(&self, vid: u16) -> bool {
        has(&self.member, vid)
    }

    /// Whether frames of a VLAN leave without a tag.
    #[inline(always)]
    pub const fn is_untagged(&self, vid: u16) -> bool {
        has(&self.untagged, vid)
    }

    /// Enters the port in a VLAN, or changes how.
    pub fn insert(&mut self, vid: u16, is_untagged: bool) {
        let (word, bit) = place(vid);
        self.member[word] |= bit;
        if is_untagged {
            self.untagged[word] |= bit;
        } else {
            self.untagged[word] &= !bit;
        }
    }

    /// Takes it out of a VLAN.
    pub fn remove(&mut self, vid: u16) {
        let (word, bit) = place(vid);
        self.member[word] &= !bit;
        self.untagged[word] &= !bit;
    }

    /// The VLANs that it is in, ascending.
    pub fn vids(&self) -> impl Iterator<Item = u16> + '_ {
        (0..4096).filter(|vid| self.is_member(*vid))
    }
}

#[inline(always)]
const fn place(vid: u16) -> (usize, u64) {
    // The mask tells the verifier that the index is in bounds.
    ((vid >> 6) as usize & 63, 1 << (vid & 63))
}

#[inline(always)]
const fn has(set: &[u64; 64], vid: u16) -> bool {
    let (word, bit) = place(vid);
    set[word] & bit != 0
}

/// Key of the `VLAN_MAP`: the VLAN identifier on the wire at a port, or the switch's own when the frame leaves.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TranslateKey {
    /// The port.
    pub slot: Slot,
    /// The VLAN identifier; [`TranslateKey::LEAVING`] is set for the way out.
    pub vid: u16,
}

const _: () = assert!(size_of::<TranslateKey>() == 4);

impl TranslateKey {
    const LEAVING: u16 = 0x8000;

    /// What a VLAN on the wire is for the switch.
    #[inline(always)]
    pub const fn entering(slot: Slot, wire: u16) -> Self {
        Self { slot, vid: wire }
    }

    /// What a VLAN of the switch is on the wire.
    #[inline(always)]
    pub const fn leaving(slot: Slot, vid: u16) -> Self {
        Self { slot, vid: vid | Self::LEAVING }
    }

    /// The VLAN identifier, and whether it is about frames that leave.
    pub const fn parts(self) -> (u16, bool) {
        (self.vid & VID_MASK, self.vid & Self::LEAVING != 0)
    }
}

/// Key of the `VLAN_STATS` map: a VLAN at a port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortVlan {
    /// The port.
    pub slot: Slot,
    /// The VLAN.
    pub vlan: u16,
}

const _: () = assert!(size_of::<PortVlan>() == 4);

/// One CPU's counters of a VLAN at a port. Frames of a VLAN that the port is not in do not count.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VlanStats {
    /// Frames that entered by the port.
    pub rx_frames: u64,
    /// Their bytes, as in [`PortStats`](crate::stats::PortStats).
    pub rx_bytes: u64,
    /// Frames and copies that left by the port.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
}

const _: () = assert!(size_of::<VlanStats>() == 32);

impl VlanStats {
    /// Adds another CPU's counters.
    pub fn add(&mut self, other: &Self) {
        self.rx_frames = self.rx_frames.wrapping_add(other.rx_frames);
        self.rx_bytes = self.rx_bytes.wrapping_add(other.rx_bytes);
        self.tx_frames = self.tx_frames.wrapping_add(other.tx_frames);
        self.tx_bytes = self.tx_bytes.wrapping_add(other.tx_bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn tags_differ() {
        assert!(!Tag::NONE.is_present() && Tag::new(0, false).is_present());
        assert_ne!(Tag::NONE.to_bits(), Tag::new(0, false).to_bits());
        assert_ne!(Tag::new(5, true).to_bits(), Tag::new(5, false).to_bits());
        assert_eq!(Tag::new(0xe005, false).vid(), 5);
        assert_eq!(Retag::set(7).vid(), Some(7));
        assert_eq!((Retag::KEEP.vid(), Retag::POP.vid()), (None, None));
    }

    proptest! {
        #[test]
        fn sets_hold_what_was_put_in(vids in prop::collection::btree_set(1u16..=MAX_VID, 0..40), untagged: bool) {
            let mut set = PortVlans::EMPTY;
            for vid in &vids {
                set.insert(*vid, untagged);
            }
            prop_assert!(set.vids().eq(vids.iter().copied()));
            prop_assert!(vids.iter().all(|vid| set.is_untagged(*vid) == untagged));
            for vid in &vids {
                set.remove(*vid);
            }
            prop_assert_eq!(set, PortVlans::EMPTY);
        }

        #[test]
        fn ways_in_and_out_differ(slot: u16, vid in 0u16..4096) {
            prop_assert_ne!(TranslateKey::entering(slot, vid), TranslateKey::leaving(slot, vid));
            prop_assert_eq!(TranslateKey::leaving(slot, vid).parts(), (vid, true));
        }
    }
}

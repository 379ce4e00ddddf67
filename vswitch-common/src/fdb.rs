//! The forwarding database: which address is behind which port.

use crate::{
    addr::MacAddr,
    link::PortLink,
    port::{PortConfig, PortState, Slot},
};

/// An address in a VLAN, in one word: the address in the low 48 bits, the VLAN identifier in the high 16.
/// A switch without VLAN filtering uses VLAN 0 for all, as the Linux bridge does.
#[repr(transparent)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FdbKey(u64);

const _: () = assert!(size_of::<FdbKey>() == 8);

impl FdbKey {
    /// The key of an address in a VLAN.
    #[inline(always)]
    pub const fn new(mac: MacAddr, vlan: u16) -> Self {
        Self(mac.to_bits() | (vlan as u64) << 48)
    }

    /// The station's address.
    #[inline(always)]
    pub const fn mac(self) -> MacAddr {
        MacAddr::from_bits(self.0)
    }

    /// VLAN identifier.
    #[inline(always)]
    pub const fn vlan(self) -> u16 {
        (self.0 >> 48) as u16
    }

    /// The last four octets of the address, in which the stations of one switch differ most.
    #[inline(always)]
    #[expect(clippy::cast_possible_truncation, reason = "the other bits are not wanted")]
    pub const fn low_octets(self) -> u32 {
        (self.0 >> 16) as u32
    }

    /// From the whole word.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The whole word, for comparisons.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }
}

/// Where an entry comes from.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FdbKind {
    /// Learned from a frame; moves and ages.
    Dynamic = 0,
    /// Added by the user; never moves, never ages.
    Static = 1,
    /// Added by the user; ages when its station is silent, but never moves.
    Sticky = 2,
    /// The address of a port's own device: frames to it go to the host.
    Local = 3,
    /// Added by a control plane; moves when its station speaks elsewhere, never ages.
    External = 4,
}

impl FdbKind {
    /// From the byte in the map; what is unknown is treated as learned.
    #[inline(always)]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Static,
            2 => Self::Sticky,
            3 => Self::Local,
            4 => Self::External,
            _ => Self::Dynamic,
        }
    }

    /// Whether entries of this kind expire.
    #[inline(always)]
    pub const fn ages(self) -> bool {
        matches!(self, Self::Dynamic | Self::Sticky)
    }

    /// Whether an entry of this kind follows its station to another port.
    #[inline(always)]
    pub const fn moves(self) -> bool {
        matches!(self, Self::Dynamic | Self::External)
    }
}

/// One row of the `FDB` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FdbEntry {
    /// The port behind which the address is.
    pub slot: Slot,
    /// [`PortConfig::incarnation`](crate::port::PortConfig::incarnation) of that port when the entry was made.
    pub incarnation: u16,
    /// A [`FdbKind`].
    pub kind: u8,
    /// Bits of [`entry_flag`].
    pub flags: u8,
    /// [`PortLink::epoch`](crate::link::PortLink::epoch) of that port then; an entry that ages counts as absent in a
    /// later one.
    pub epoch: u16,
    /// Jiffies at the last frame from the address that took the slow path.
    pub stamp: u64,
    /// Low half of the jiffies at the first of the moves that are counted.
    pub moved_at: u32,
    /// The entry's place in the ring: a place that holds the address of an entry with another one is free.
    pub place: u32,
    /// Moves since `moved_at`.
    pub moves: u16,
    /// Padding, always zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<FdbEntry>() == 32);

/// Bits of [`FdbEntry::flags`].
pub mod entry_flag {
    /// Noted by a locked port (`mab`): the station is not admitted there.
    pub const LOCKED: u8 = 1;
    /// The address of a port's own device, noted when the port was made; takes no room of others.
    pub const OWN: u8 = 1 << 1;
}

impl FdbEntry {
    /// Behind no port.
    pub const EMPTY: Self = Self {
        slot: 0,
        incarnation: 0,
        kind: FdbKind::Dynamic as u8,
        flags: 0,
        epoch: 0,
        stamp: 0,
        moved_at: 0,
        place: 0,
        moves: 0,
        reserved: [0; 6],
    };

    /// The kind, typed.
    #[inline(always)]
    pub const fn kind(&self) -> FdbKind {
        FdbKind::from_u8(self.kind)
    }

    /// Whether the port in the row that the entry points at is still the one behind which the address is, and did not
    /// forget the entry when its device went down. A port that is disabled forgets nothing, as on the Linux bridge.
    #[inline(always)]
    pub const fn is_alive(&self, port: &PortConfig, link: &PortLink) -> bool {
        port.ifindex != 0
            && port.incarnation == self.incarnation
            && (!self.kind().ages() || link.epoch == self.epoch)
            && !matches!(port.state(), PortState::Gone)
    }

    /// Whether the entry was noted by a locked port, so that it admits nobody.
    #[inline(always)]
    pub const fn is_locked(&self) -> bool {
        self.flags & entry_flag::LOCKED != 0
    }

    /// Whether this is the address of a port's own device, noted by the switch.
    #[inline(always)]
    pub const fn is_own(&self) -> bool {
        self.flags & entry_flag::OWN != 0
    }

    /// Whether the entry can never count again, so that its room may be given to another: its port is no more, or it ages
    /// and has expired or was forgotten.
    #[inline(always)]
    pub const fn is_void(&self, port: &PortConfig, link: &PortLink, now: u64, ageing_jiffies: u64) -> bool {
        !self.is_alive(port, link) || self.is_expired(now, ageing_jiffies)
    }

    /// Whether the entry counts as absent at `now`: it ages, and was not seen for `ageing_jiffies` (0 = for ever).
    #[inline(always)]
    pub const fn is_expired(&self, now: u64, ageing_jiffies: u64) -> bool {
        self.kind().ages() && ageing_jiffies != 0 && now.wrapping_sub(self.stamp) > ageing_jiffies
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn entry(kind: FdbKind, stamp: u64) -> FdbEntry {
        FdbEntry {
            slot: 1,
            incarnation: 1,
            kind: kind as u8,
            flags: 0,
            epoch: 0,
            stamp,
            moved_at: 0,
            place: 0,
            moves: 0,
            reserved: [0; 6],
        }
    }

    #[test]
    fn key_holds_both() {
        let mac = MacAddr::new([2, 0, 0, 0, 0, 0xff]);
        let key = FdbKey::new(mac, 4094);
        assert_eq!((key.mac(), key.vlan()), (mac, 4094));
        assert_ne!(key, FdbKey::new(mac, 1));
    }

    #[test]
    fn what_ages_is_forgotten_and_nothing_outlives_its_port() {
        let on = PortConfig {
            ifindex: 5,
            incarnation: 1,
            state: PortState::Forwarding as u8,
            ..PortConfig::EMPTY
        };
        let off = PortConfig { state: PortState::Disabled as u8, ..on };
        let gone = PortConfig { state: PortState::Gone as u8, ..on };
        let later = PortConfig { incarnation: 2, ..on };
        let link = PortLink::default();
        let mut down = link;
        down.go_down(7, true);
        for kind in [FdbKind::Dynamic, FdbKind::Static, FdbKind::Sticky, FdbKind::Local, FdbKind::External] {
            let entry = entry(kind, 100);
            assert!(!entry.is_void(&on, &link, 350, 250), "{kind:?}");
            assert!(!entry.is_void(&off, &link, 350, 250), "{kind:?}");
            assert_eq!(entry.is_void(&on, &link, 351, 250), kind.ages(), "{kind:?}");
            assert_eq!(entry.is_void(&on, &down, 100, 250), kind.ages(), "{kind:?}");
            for port in [&gone, &later, &PortConfig::EMPTY] {
                assert!(entry.is_void(port, &link, 100, 250), "{kind:?}");
            }
        }
    }

    #[test]
    fn only_entries_that_age_expire() {
        assert!(!entry(FdbKind::Dynamic, 100).is_expired(350, 250));
        assert!(entry(FdbKind::Dynamic, 100).is_expired(351, 250));
        assert!(!entry(FdbKind::Dynamic, 100).is_expired(u64::MAX, 0));
        assert!(entry(FdbKind::Sticky, 100).is_expired(351, 250));
        for kind in [FdbKind::Static, FdbKind::Local, FdbKind::External] {
            assert!(!entry(kind, 0).is_expired(u64::MAX, 1), "{kind:?}");
        }
        for kind in [FdbKind::Dynamic, FdbKind::Static, FdbKind::Sticky, FdbKind::Local, FdbKind::External] {
            assert_eq!(FdbKind::from_u8(kind as u8), kind);
        }
    }
}

//! What the controller asks the sweep program to do: changes of what only programs write, each made in one step.

use crate::{
    addr::MacAddr,
    fdb::{FdbEntry, FdbKey, FdbKind},
    port::Slot,
};

/// One request: the bytes of the frame on which the program is test-run.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The header of a frame: zeroes.
    pub header: [u8; 14],
    /// A [`Verb`].
    pub verb: u8,
    /// Padding, always zero.
    pub reserved: u8,
    /// The address to be put.
    pub key: FdbKey,
    /// Its entry; the program fills in place, epoch and stamp.
    pub entry: FdbEntry,
    /// Which entries are to be removed.
    pub selector: Selector,
    /// Where in the ring a sweep begins.
    pub first: u32,
    /// Places of the ring that it visits.
    pub count: u32,
}

const _: () = assert!(size_of::<Request>() == 80);

/// What is to be done.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Remove the entries in a part of the ring that the selector matches; the answer is their number.
    Sweep = 1,
    /// Add an address, or replace its entry whatever that is; the answer is an [`Answer`].
    Replace = 2,
    /// The same, unless there is an entry that somebody has added.
    Add = 3,
    /// Open the selected port, should a guard have shut it; the answer is 0.
    Open = 4,
}

/// What becomes of a request to put an address.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the FDB.
    Done = 0,
    /// There is no room.
    Full = 1,
    /// The port has as many addresses as it may.
    Limited = 2,
    /// There is an entry already.
    Exists = 3,
    /// Another CPU is just changing it; ask again.
    Busy = 4,
}

impl Answer {
    /// From what the program returns.
    pub const fn from_u32(value: u32) -> Self {
        match value {
            0 => Self::Done,
            1 => Self::Full,
            2 => Self::Limited,
            3 => Self::Exists,
            _ => Self::Busy,
        }
    }
}

/// Which entries.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Selector {
    /// The address; zero = any.
    pub mac: MacAddr,
    /// The port; 0 = any.
    pub slot: Slot,
    /// The VLAN; [`Selector::ANY_VLAN`] = any.
    pub vlan: u16,
    /// One bit for each [`FdbKind`], and [`Selector::OWN`].
    pub kinds: u8,
    /// Bits of [`only`].
    pub only: u8,
    /// Padding, always zero.
    pub reserved: [u8; 2],
}

const _: () = assert!(size_of::<Selector>() == 16);

/// Bits of [`Selector::only`].
pub mod only {
    /// What can never count again.
    pub const VOID: u8 = 1;
    /// What a locked port has noted.
    pub const LOCKED: u8 = 1 << 1;
}

impl Selector {
    /// Whatever the VLAN is.
    pub const ANY_VLAN: u16 = u16::MAX;
    /// The bit in `kinds` for the addresses of the ports' own devices, which are selected by no other.
    pub const OWN: u8 = 1 << 7;
    /// What ages.
    pub const AGEING: u8 = 1 << FdbKind::Dynamic as u8 | 1 << FdbKind::Sticky as u8;
    /// Everything but the addresses of the ports' own devices.
    pub const ALL_KINDS: u8 = !Self::OWN;
    /// Everything.
    pub const EVERYTHING: Self =
        Self { mac: MacAddr::ZERO, slot: 0, vlan: Self::ANY_VLAN, kinds: u8::MAX, only: 0, reserved: [0; 2] };

    /// Whether an entry is meant; `is_void` says whether it can never count again.
    #[inline(always)]
    pub const fn matches(&self, key: FdbKey, entry: &FdbEntry, is_void: bool) -> bool {
        let kind = if entry.is_own() { Self::OWN } else { 1 << entry.kind() as u8 };
        (self.mac.is_zero() || self.mac.to_bits() == key.mac().to_bits())
            && (self.slot == 0 || self.slot == entry.slot)
            && (self.vlan == Self::ANY_VLAN || self.vlan == key.vlan())
            && self.kinds & kind != 0
            && (self.only & only::VOID == 0 || is_void)
            && (self.only & only::LOCKED == 0 || entry.is_locked())
    }
}

impl Request {
    /// A request of this verb that is about nothing yet.
    pub const fn new(verb: Verb) -> Self {
        Self {
            header: [0; 14],
            verb: verb as u8,
            reserved: 0,
            key: FdbKey::new(MacAddr::ZERO, 0),
            entry: FdbEntry::EMPTY,
            selector: Selector::EVERYTHING,
            first: 0,
            count: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fdb::entry_flag;
    use proptest::prelude::*;

    const KINDS: [FdbKind; 5] =
        [FdbKind::Dynamic, FdbKind::Static, FdbKind::Sticky, FdbKind::Local, FdbKind::External];
    const MAC: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

    fn entry(kind: FdbKind, slot: Slot, flags: u8) -> FdbEntry {
        FdbEntry { kind: kind as u8, slot, flags, ..FdbEntry::EMPTY }
    }

    #[test]
    fn the_ports_own_are_selected_by_name_only() {
        let own = entry(FdbKind::Local, 1, entry_flag::OWN);
        let all = Selector { kinds: Selector::ALL_KINDS, ..Selector::EVERYTHING };
        assert!(!all.matches(FdbKey::new(MAC, 0), &own, false));
        assert!(all.matches(FdbKey::new(MAC, 0), &entry(FdbKind::Local, 1, 0), false));
        assert!(Selector::EVERYTHING.matches(FdbKey::new(MAC, 0), &own, false));
    }

    proptest! {
        #[test]
        fn each_condition_counts(
            kind in prop::sample::select(KINDS.to_vec()), slot in 1u16..4, vlan in 0u16..4, locked: bool, is_void: bool,
        ) {
            let entry = entry(kind, slot, if locked { entry_flag::LOCKED } else { 0 });
            let key = FdbKey::new(MAC, vlan);
            let every = Selector::EVERYTHING;
            let matches = |selector: Selector| selector.matches(key, &entry, is_void);
            prop_assert!(matches(every));
            prop_assert_eq!(matches(Selector { slot: 1, ..every }), slot == 1);
            prop_assert_eq!(matches(Selector { vlan: 1, ..every }), vlan == 1);
            prop_assert_eq!(matches(Selector { kinds: Selector::AGEING, ..every }), kind.ages());
            prop_assert_eq!(matches(Selector { only: only::VOID, ..every }), is_void);
            prop_assert_eq!(matches(Selector { only: only::LOCKED, ..every }), locked);
            prop_assert_eq!(matches(Selector { mac: MAC, ..every }), true);
            prop_assert_eq!(matches(Selector { mac: MacAddr::BROADCAST, ..every }), false);
        }
    }
}

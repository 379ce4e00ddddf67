//! Is there something to remember about a frame's source?

use vswitch_common::{
    fdb::{FdbEntry, FdbKind},
    link::PortLink,
    port::{PortConfig, Slot},
};

/// What is to be done with the FDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learn {
    /// The entry is right and fresh, or must not change.
    Keep,
    /// The entry is right, but its time stamp is old, or is from before the port's device went down.
    Refresh,
    /// There is no entry.
    Insert,
    /// The station was behind another port: the entry follows it, and every cached verdict is void.
    Move,
}

/// The port by which the frame came, as the FDB names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Behind {
    /// Row of the port.
    pub slot: Slot,
    /// Which use of the row.
    pub incarnation: u16,
    /// How often its device went down.
    pub epoch: u16,
}

impl Behind {
    /// The port in row `slot`.
    #[inline(always)]
    pub const fn port(slot: Slot, port: &PortConfig, link: &PortLink) -> Self {
        Self { slot, incarnation: port.incarnation, epoch: link.epoch }
    }

    /// Whether an entry points at this port.
    #[inline(always)]
    pub const fn holds(&self, entry: &FdbEntry) -> bool {
        entry.slot == self.slot && entry.incarnation == self.incarnation
    }

    /// Whether an entry points at this port and still counts: what ages is forgotten when the device goes down.
    #[inline(always)]
    pub const fn remembers(&self, entry: &FdbEntry) -> bool {
        self.holds(entry) && (!entry.kind().ages() || entry.epoch == self.epoch)
    }
}

/// Compares the entry, if there is one, with the frame. A stamp is renewed once per `1 << cache_shift` jiffies at most,
/// so that a steady flow writes to the FDB about once a second. `is_void`: the entry is another port's and counts as absent,
/// because it has expired or that port is gone; then it is no obstacle, whatever its kind.
#[inline(always)]
pub fn learn(entry: Option<&FdbEntry>, is_void: bool, behind: Behind, now: u64, cache_shift: u8) -> Learn {
    let Some(entry) = entry else { return Learn::Insert };
    if behind.holds(entry) {
        let is_old = now >> cache_shift != entry.stamp >> cache_shift || !behind.remembers(entry);
        if entry.kind().ages() && is_old { Learn::Refresh } else { Learn::Keep }
    } else if entry.kind().moves() || is_void && !matches!(entry.kind(), FdbKind::Local) {
        Learn::Move
    } else {
        Learn::Keep
    }
}

/// The entry for a station that was just seen behind a port.
#[inline(always)]
pub const fn learned(behind: Behind, now: u64) -> FdbEntry {
    FdbEntry {
        slot: behind.slot,
        incarnation: behind.incarnation,
        kind: FdbKind::Dynamic as u8,
        flags: 0,
        epoch: behind.epoch,
        stamp: now,
        ..FdbEntry::EMPTY
    }
}

/// Whether a port with that many learned addresses may take the place of one that another port has borrowed.
#[inline(always)]
pub const fn may_take_back(count: u64, share: u32) -> bool {
    count < share as u64
}

/// Whether a port with that many learned addresses has some that are borrowed.
#[inline(always)]
pub const fn has_borrowed(count: u64, share: u32) -> bool {
    count > share as u64
}

/// Whether a locked port knows the source: it has an entry on this port, learned or added, rather than only noted.
#[inline(always)]
pub fn is_authorised(entry: Option<&FdbEntry>, behind: Behind, now: u64, ageing_jiffies: u64) -> bool {
    matches!(entry, Some(entry) if behind.remembers(entry)
        && !matches!(entry.kind(), FdbKind::Local)
        && !entry.is_locked()
        && !entry.is_expired(now, ageing_jiffies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vswitch_common::fdb::entry_flag;

    const HERE: Behind = Behind { slot: 3, incarnation: 7, epoch: 1 };
    const KINDS: [FdbKind; 4] = [FdbKind::Dynamic, FdbKind::Static, FdbKind::Sticky, FdbKind::Local];

    fn entry(behind: Behind, kind: FdbKind, stamp: u64) -> FdbEntry {
        FdbEntry { kind: kind as u8, ..learned(behind, stamp) }
    }

    #[test]
    fn unknown_sources_are_inserted() {
        assert_eq!(learn(None, false, HERE, 1000, 8), Learn::Insert);
    }

    #[test]
    fn stamps_are_renewed_once_per_period() {
        let seen = entry(HERE, FdbKind::Dynamic, 256);
        assert_eq!(learn(Some(&seen), false, HERE, 511, 8), Learn::Keep);
        assert_eq!(learn(Some(&seen), false, HERE, 512, 8), Learn::Refresh);
        assert_eq!(learn(Some(&entry(HERE, FdbKind::Static, 0)), false, HERE, 512, 8), Learn::Keep);
    }

    #[test]
    fn a_later_port_in_the_same_slot_is_another_port() {
        let old = entry(Behind { incarnation: 6, ..HERE }, FdbKind::Dynamic, 1000);
        assert_eq!(learn(Some(&old), false, HERE, 1000, 8), Learn::Move);
        assert!(!is_authorised(Some(&old), HERE, 1000, 0));
    }

    #[test]
    fn what_was_learned_before_the_device_went_down_is_renewed() {
        let before = Behind { epoch: 0, ..HERE };
        for kind in KINDS {
            let old = entry(before, kind, 1000);
            let renewed = learn(Some(&old), false, HERE, 1000, 8) == Learn::Refresh;
            assert_eq!(renewed, kind.ages(), "{kind:?}");
            let known = is_authorised(Some(&old), HERE, 1000, 0);
            assert_eq!(known, kind == FdbKind::Static, "{kind:?}");
        }
    }

    #[test]
    fn a_locked_port_admits_what_is_on_it() {
        for kind in KINDS {
            let known = is_authorised(Some(&entry(HERE, kind, 1000)), HERE, 1000, 250);
            assert_eq!(known, kind != FdbKind::Local, "{kind:?}");
        }
        assert!(!is_authorised(None, HERE, 1000, 250));
        assert!(!is_authorised(Some(&entry(HERE, FdbKind::Dynamic, 1000)), HERE, 1251, 250));
    }

    #[test]
    fn what_a_locked_port_has_noted_admits_nobody_and_roams() {
        let noted = FdbEntry { flags: entry_flag::LOCKED, ..entry(HERE, FdbKind::Dynamic, 1000) };
        assert!(!is_authorised(Some(&noted), HERE, 1000, 250));
        let there = Behind { slot: 4, incarnation: 1, epoch: 0 };
        assert_eq!(learn(Some(&noted), false, there, 1000, 8), Learn::Move);
        assert!(!learned(there, 1000).is_locked());
    }

    #[test]
    fn shares_are_lent_and_taken_back() {
        assert!(may_take_back(1, 2) && !may_take_back(2, 2) && !may_take_back(3, 2));
        assert!(has_borrowed(3, 2) && !has_borrowed(2, 2));
    }

    proptest! {
        /// Who takes an entry has fewer than its share afterwards than whom it is taken from had before.
        #[test]
        fn nobody_loses_what_is_its_own(taker in 0u64..100, loser in 0u64..100, share in 1u32..50) {
            if may_take_back(taker, share) && has_borrowed(loser, share) {
                prop_assert!(taker < u64::from(share) && loser > u64::from(share));
            }
        }

        #[test]
        fn only_dynamic_entries_move(kind in prop::sample::select(KINDS.to_vec()), slot in 1u16..100, now: u64) {
            let there = Behind { slot, incarnation: 1, epoch: 1 };
            let verdict = |is_void| learn(Some(&entry(there, kind, now)), is_void, HERE, now, 8);
            prop_assert_eq!(verdict(false) == Learn::Move, kind == FdbKind::Dynamic);
            prop_assert_eq!(verdict(true) == Learn::Move, kind != FdbKind::Local);
        }
    }
}

//! Is there something to remember about a frame's source?

use vswitch_common::{
    fdb::{FdbEntry, FdbKind},
    port::{PortConfig, Slot},
};

/// What is to be done with the FDB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Learn {
    /// The entry is right and fresh, or must not change.
    Keep,
    /// The entry is right, but its time stamp is old.
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
}

impl Behind {
    /// The port in row `slot`.
    #[inline(always)]
    pub const fn port(slot: Slot, port: &PortConfig) -> Self {
        Self {
            slot,
            incarnation: port.incarnation,
        }
    }

    /// Whether an entry points at this port.
    #[inline(always)]
    pub const fn holds(&self, entry: &FdbEntry) -> bool {
        entry.slot == self.slot && entry.incarnation == self.incarnation
    }
}

/// Compares the entry, if there is one, with the frame. A stamp is renewed once per `1 << cache_shift` jiffies at most,
/// so that a steady flow writes to the FDB about once a second.
#[inline(always)]
pub fn learn(entry: Option<&FdbEntry>, behind: Behind, now: u64, cache_shift: u8) -> Learn {
    let Some(entry) = entry else { return Learn::Insert };
    if behind.holds(entry) {
        if entry.kind().ages() && now >> cache_shift != entry.stamp >> cache_shift {
            Learn::Refresh
        } else {
            Learn::Keep
        }
    } else if entry.kind().moves() {
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
        reserved: [0; 3],
        stamp: now,
    }
}

/// Whether a locked port knows the source: it has an entry on this port, learned or added.
#[inline(always)]
pub fn is_authorised(entry: Option<&FdbEntry>, behind: Behind, now: u64, ageing_jiffies: u64) -> bool {
    matches!(entry, Some(entry) if behind.holds(entry)
        && !matches!(entry.kind(), FdbKind::Local)
        && !entry.is_expired(now, ageing_jiffies))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HERE: Behind = Behind {
        slot: 3,
        incarnation: 7,
    };
    const KINDS: [FdbKind; 4] = [FdbKind::Dynamic, FdbKind::Static, FdbKind::Sticky, FdbKind::Local];

    fn entry(behind: Behind, kind: FdbKind, stamp: u64) -> FdbEntry {
        FdbEntry {
            kind: kind as u8,
            ..learned(behind, stamp)
        }
    }

    #[test]
    fn unknown_sources_are_inserted() {
        assert_eq!(learn(None, HERE, 1000, 8), Learn::Insert);
    }

    #[test]
    fn stamps_are_renewed_once_per_period() {
        let seen = entry(HERE, FdbKind::Dynamic, 256);
        assert_eq!(learn(Some(&seen), HERE, 511, 8), Learn::Keep);
        assert_eq!(learn(Some(&seen), HERE, 512, 8), Learn::Refresh);
        assert_eq!(
            learn(Some(&entry(HERE, FdbKind::Static, 0)), HERE, 512, 8),
            Learn::Keep
        );
    }

    #[test]
    fn a_later_port_in_the_same_slot_is_another_port() {
        let old = entry(
            Behind {
                slot: 3,
                incarnation: 6,
            },
            FdbKind::Dynamic,
            1000,
        );
        assert_eq!(learn(Some(&old), HERE, 1000, 8), Learn::Move);
        assert!(!is_authorised(Some(&old), HERE, 1000, 0));
    }

    #[test]
    fn a_locked_port_admits_what_is_on_it() {
        for kind in KINDS {
            let known = is_authorised(Some(&entry(HERE, kind, 1000)), HERE, 1000, 250);
            assert_eq!(known, kind != FdbKind::Local, "{kind:?}");
        }
        assert!(!is_authorised(None, HERE, 1000, 250));
        assert!(!is_authorised(
            Some(&entry(HERE, FdbKind::Dynamic, 1000)),
            HERE,
            1251,
            250
        ));
    }

    proptest! {
        #[test]
        fn only_dynamic_entries_move(kind in prop::sample::select(KINDS.to_vec()), slot in 1u16..100, now: u64) {
            let there = Behind { slot, incarnation: 1 };
            let verdict = learn(Some(&entry(there, kind, now)), HERE, now, 8);
            prop_assert_eq!(verdict == Learn::Move, kind == FdbKind::Dynamic);
        }
    }
}

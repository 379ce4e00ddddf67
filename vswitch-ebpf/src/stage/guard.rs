//! What is suspicious enough to act upon: addresses that move too often, BPDUs.

use vswitch_common::{
    addr::MacAddr,
    port::{MoveGuard, PortConfig, flag},
};

/// Moves of one address within a second that only a loop brings about.
pub const LOOP_MOVES: u16 = 128;
/// Moves of any addresses to one port are too many when they are that many times `move-limit`.
pub const PORT_FACTOR: u64 = 16;

/// Spanning tree of IEEE 802.1D and later.
const STP: MacAddr = MacAddr::new([0x01, 0x80, 0xc2, 0, 0, 0]);
/// Spanning tree per VLAN, of Cisco.
const PVST: MacAddr = MacAddr::new([0x01, 0x00, 0x0c, 0xcc, 0xcc, 0xcd]);

/// What is to be done about a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judgement {
    /// The address moves.
    Pass,
    /// It moves, and an event says that it does so too often.
    Tell,
    /// It stays where it is.
    Hold,
    /// The port to which it moves is shut, for the moves.
    Shut,
    /// The same, for the loop that there must be.
    Loop,
}

/// The moves of the last second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Low half of the jiffies at the first of them.
    pub since: u32,
    /// How many.
    pub moves: u64,
}

impl Tally {
    /// One more move.
    #[inline(always)]
    #[must_use]
    pub const fn one_more(self, now: u32, hz: u32) -> Self {
        if self.moves == 0 || now.wrapping_sub(self.since) > hz {
            Self { since: now, moves: 1 }
        } else {
            Self { since: self.since, moves: self.moves.saturating_add(1) }
        }
    }
}

/// Whether a frame to this address is a BPDU.
#[inline(always)]
pub const fn is_bpdu(destination: MacAddr) -> bool {
    destination.to_bits() == STP.to_bits() || destination.to_bits() == PVST.to_bits()
}

/// Judges a move: `of_address` moves of this address and `to_port` moves to this port within a second, this one included.
///
/// An address that goes to and fro counts at each port that takes part in it. A port at which its station speaks now and
/// then, while a loop brings its frames back elsewhere, has few moves of its own, and is innocent.
#[inline(always)]
pub const fn judge(port: &PortConfig, of_address: u64, to_port: u64, limit: u16) -> Judgement {
    if port.has(flag::LOOP_GUARD) && of_address >= LOOP_MOVES as u64 && to_port >= LOOP_MOVES as u64 / 2 {
        return Judgement::Loop;
    }
    match MoveGuard::from_u8(port.move_guard) {
        MoveGuard::Off => Judgement::Pass,
        _ if !is_excess(of_address, to_port, limit) => Judgement::Pass,
        MoveGuard::Log => Judgement::Tell,
        MoveGuard::Hold => Judgement::Hold,
        MoveGuard::Shut => Judgement::Shut,
    }
}

#[inline(always)]
const fn is_excess(of_address: u64, to_port: u64, limit: u16) -> bool {
    let limit = limit as u64;
    of_address > limit && to_port * 2 > limit || to_port > limit * PORT_FACTOR
}

/// Whether the excess begins with this move: that is told, and those that follow in the same second are not. Between two
/// moves of an address to a port there is one to another port, which may have no guard and so tells nothing.
#[inline(always)]
pub const fn begins(of_address: u64, to_port: u64, limit: u16) -> bool {
    is_excess(of_address, to_port, limit) && !is_excess(of_address.saturating_sub(2), to_port - 1, limit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn port(guard: MoveGuard, flags: u32) -> PortConfig {
        PortConfig { ifindex: 1, flags, move_guard: guard as u8, ..PortConfig::EMPTY }
    }

    #[test]
    fn bpdus_are_known_by_their_destination() {
        for last in 0..16 {
            assert_eq!(is_bpdu(MacAddr::new([1, 0x80, 0xc2, 0, 0, last])), last == 0);
        }
        assert!(is_bpdu(MacAddr::new([1, 0, 0xc, 0xcc, 0xcc, 0xcd])));
        assert!(!is_bpdu(MacAddr::new([1, 0, 0xc, 0xcc, 0xcc, 0xcc])) && !is_bpdu(MacAddr::BROADCAST));
    }

    #[test]
    fn a_tally_is_of_one_second() {
        let first = Tally { since: 0, moves: 0 }.one_more(1000, 250);
        assert_eq!(first, Tally { since: 1000, moves: 1 });
        assert_eq!(first.one_more(1250, 250), Tally { since: 1000, moves: 2 });
        assert_eq!(first.one_more(1251, 250), Tally { since: 1251, moves: 1 });
        let late = Tally { since: u32::MAX, moves: 1 };
        assert_eq!(late.one_more(5, 250).moves, 2, "the clock has wrapped");
    }

    #[test]
    fn each_guard_does_its_own() {
        let guards = [
            (MoveGuard::Off, Judgement::Pass),
            (MoveGuard::Log, Judgement::Tell),
            (MoveGuard::Hold, Judgement::Hold),
            (MoveGuard::Shut, Judgement::Shut),
        ];
        for (guard, expected) in guards {
            assert_eq!(judge(&port(guard, 0), 5, 5, 5), Judgement::Pass, "{guard:?}");
            assert_eq!(judge(&port(guard, 0), 6, 3, 5), expected, "{guard:?}: one address");
            assert_eq!(judge(&port(guard, 0), 1, 81, 5), expected, "{guard:?}: many addresses");
            assert_eq!(judge(&port(guard, 0), 6, 2, 5), Judgement::Pass, "{guard:?}: they move elsewhere");
        }
    }

    #[test]
    fn a_loop_is_at_both_its_ports_and_at_no_other() {
        let guarded = port(MoveGuard::Off, flag::LOOP_GUARD);
        assert_eq!(judge(&guarded, 128, 64, 5), Judgement::Loop);
        assert_eq!(judge(&guarded, 127, 64, 5), Judgement::Pass);
        assert_eq!(judge(&guarded, 10_000, 63, 5), Judgement::Pass, "the station's own port");
        assert_eq!(judge(&port(MoveGuard::Off, 0), 10_000, 10_000, 5), Judgement::Pass);
    }

    proptest! {
        /// An address that goes to and fro between two ports.
        #[test]
        fn an_excess_is_told_once_at_each_port(limit in 1u16..1000) {
            let told = (1..=4000u64).filter(|moves| begins(*moves, moves.div_ceil(2), limit)).count();
            prop_assert!(told == 1 || told == 2, "{}", told);
        }

        #[test]
        fn no_guard_no_judgement(of_address: u32, to_port: u32, limit: u16) {
            let off = port(MoveGuard::Off, 0);
            prop_assert_eq!(judge(&off, of_address.into(), to_port.into(), limit), Judgement::Pass);
        }
    }
}

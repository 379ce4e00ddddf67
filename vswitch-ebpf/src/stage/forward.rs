//! To which port does a frame go?

use vswitch_common::{
    drop::DropReason,
    fdb::{FdbEntry, FdbKind},
    link::PortLink,
    port::{PortConfig, PortState, Slot, flag},
};

/// What the FDB says about a destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destination {
    /// Nothing that holds: flood.
    Unknown,
    /// The host itself.
    Host,
    /// Behind this port.
    Port(Slot),
}

/// Reads an entry. One that has expired, or whose port is no more, counts as absent the moment it is so; reclaiming
/// its place is another matter. `port` is the rows to which the entry points.
#[inline(always)]
pub fn destination(
    entry: Option<&FdbEntry>,
    port: Option<(&PortConfig, &PortLink)>,
    now: u64,
    ageing_jiffies: u64,
) -> Destination {
    let (Some(entry), Some((port, link))) = (entry, port) else {
        return Destination::Unknown;
    };
    if entry.is_expired(now, ageing_jiffies) || !entry.is_alive(port, link) {
        return Destination::Unknown;
    }
    match entry.kind() {
        FdbKind::Local => Destination::Host,
        FdbKind::Dynamic | FdbKind::Static | FdbKind::Sticky | FdbKind::External => {
            Destination::Port(entry.slot)
        }
    }
}

/// May a frame that came by `ingress` go to `egress`? As `should_deliver` in Linux `net/bridge/br_forward.c`.
#[inline(always)]
pub fn deliver(
    ingress_slot: Slot,
    ingress: &PortConfig,
    egress_slot: Slot,
    egress: &PortConfig,
) -> Result<(), DropReason> {
    if ingress_slot == egress_slot && !egress.has(flag::HAIRPIN) {
        return Err(DropReason::SamePort);
    }
    if !matches!(egress.state(), PortState::Forwarding) {
        return Err(DropReason::EgressNotForwarding);
    }
    if ingress.has(flag::ISOLATED) && egress.has(flag::ISOLATED) {
        return Err(DropReason::Isolated);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::learn::{Behind, learned};
    use proptest::prelude::*;

    fn port(flags: u32, state: PortState) -> PortConfig {
        PortConfig { ifindex: 5, flags, incarnation: 2, state: state as u8, ..PortConfig::EMPTY }
    }

    #[test]
    fn absent_expired_and_orphaned_entries_are_unknown() {
        let alive = port(flag::DEFAULT, PortState::Forwarding);
        let entry = learned(Behind { slot: 4, incarnation: 2, epoch: 0 }, 1000);
        assert_eq!(destination(None, None, 1000, 250), Destination::Unknown);
        assert_eq!(
            destination(Some(&entry), Some((&alive, &PortLink::default())), 1250, 250),
            Destination::Port(4)
        );
        assert_eq!(
            destination(Some(&entry), Some((&alive, &PortLink::default())), 1251, 250),
            Destination::Unknown
        );
        let later = PortConfig { incarnation: 3, ..alive };
        assert_eq!(
            destination(Some(&entry), Some((&later, &PortLink::default())), 1000, 250),
            Destination::Unknown
        );
        for (state, expected) in [
            (PortState::Gone, Destination::Unknown),
            // It keeps what it knows; whether frames may go there is for `deliver` to say.
            (PortState::Disabled, Destination::Port(4)),
            (PortState::Blocking, Destination::Port(4)),
        ] {
            let other = PortConfig { state: state as u8, ..alive };
            let found = destination(Some(&entry), Some((&other, &PortLink::default())), 1000, 250);
            assert_eq!(found, expected, "{state:?}");
        }
        let local = FdbEntry { kind: FdbKind::Local as u8, ..entry };
        assert_eq!(
            destination(Some(&local), Some((&alive, &PortLink::default())), u64::MAX, 1),
            Destination::Host
        );
    }

    #[test]
    fn a_port_that_went_down_forgets_what_ages() {
        let port = port(flag::DEFAULT, PortState::Forwarding);
        let before = PortLink::default();
        let mut after = before;
        after.go_down(7, true);
        let kinds = [
            (FdbKind::Dynamic, Destination::Unknown),
            (FdbKind::Sticky, Destination::Unknown),
            (FdbKind::Static, Destination::Port(4)),
            (FdbKind::Local, Destination::Host),
        ];
        for (kind, expected) in kinds {
            let entry = FdbEntry { kind: kind as u8, ..learned(Behind::port(4, &port, &before), 1000) };
            assert_eq!(destination(Some(&entry), Some((&port, &after)), 1000, 250), expected, "{kind:?}");
        }
        let again = learned(Behind::port(4, &port, &after), 1000);
        assert_eq!(destination(Some(&again), Some((&port, &after)), 1000, 250), Destination::Port(4));
    }

    proptest! {
        #[test]
        fn a_frame_returns_only_by_a_hairpin(flags: u32) {
            let same = port(flags, PortState::Forwarding);
            let verdict = deliver(1, &same, 1, &same);
            if flags & flag::HAIRPIN == 0 {
                prop_assert_eq!(verdict, Err(DropReason::SamePort));
            }
        }

        #[test]
        fn two_isolated_ports_never_speak(ingress: u32, egress: u32, state in 0u8..6) {
            let egress = PortConfig { state, ..port(egress, PortState::Forwarding) };
            let ingress = port(ingress, PortState::Forwarding);
            let verdict = deliver(1, &ingress, 2, &egress);
            let isolated = ingress.has(flag::ISOLATED) && egress.has(flag::ISOLATED);
            let forwarding = egress.state() == PortState::Forwarding;
            prop_assert_eq!(verdict.is_ok(), forwarding && !isolated);
        }
    }
}

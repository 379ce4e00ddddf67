//! May a frame enter by its port?

use vswitch_common::{
    drop::DropReason,
    port::{PortConfig, PortState, flag},
};

use crate::frame::Ethernet;

/// What the first look at a frame decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admit {
    /// It goes on; whether its source is learned is decided by [`super::learn`].
    Enter,
    /// It is for the host only (link-local protocols); its source is learned all the same.
    Local,
    /// Its source is learned, then it is dropped: the port is in the learning state.
    LearnOnly,
    /// It is refused.
    Refuse(DropReason),
}

/// The number of the pause address `01:80:c2:00:00:01`.
const PAUSE: u8 = 1;
/// The number of the STP address `01:80:c2:00:00:00`.
const STP: u8 = 0;

/// Decides in the order in which `br_handle_frame` does (Linux `net/bridge/br_input.c`): source, link-local
/// destination, port state. STP is off, so BPDUs are forwarded like any multicast. Unlike there, the mask of the switch,
/// or that of the port, lets pause and LACP frames pass as well.
#[inline(always)]
pub fn admit(ethernet: &Ethernet, ingress: &PortConfig, group_fwd_mask: u16) -> Admit {
    if !ethernet.source.is_station() {
        return Admit::Refuse(DropReason::InvalidSource);
    }
    match ethernet.destination.link_local() {
        None | Some(STP) => {}
        Some(number) if (group_fwd_mask | ingress.group_fwd_mask) & (1 << number) != 0 => {}
        Some(PAUSE) => return Admit::Refuse(DropReason::Reserved),
        Some(_) => return Admit::Local,
    }
    match ingress.state() {
        PortState::Forwarding => Admit::Enter,
        PortState::Learning => Admit::LearnOnly,
        PortState::Disabled | PortState::Blocking | PortState::Gone => {
            Admit::Refuse(DropReason::NotForwarding)
        }
    }
}

/// Whether the port's sources may be learned at all.
#[inline(always)]
pub fn learns(ingress: &PortConfig) -> bool {
    ingress.has(flag::LEARNING) && matches!(ingress.state(), PortState::Forwarding | PortState::Learning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vswitch_common::addr::MacAddr;

    const STATION: MacAddr = MacAddr::new([2, 0, 0, 0, 0, 1]);

    fn port(state: PortState) -> PortConfig {
        PortConfig { ifindex: 1, flags: flag::DEFAULT, state: state as u8, ..PortConfig::EMPTY }
    }

    fn to(destination: [u8; 6]) -> Ethernet {
        Ethernet { destination: MacAddr::new(destination), source: STATION }
    }

    #[test]
    fn link_local_addresses_are_treated_as_linux_does() {
        for last in 0..16 {
            let frame = to([1, 0x80, 0xc2, 0, 0, last]);
            let without = match last {
                0 => Admit::Enter,
                1 => Admit::Refuse(DropReason::Reserved),
                _ => Admit::Local,
            };
            let plain = port(PortState::Forwarding);
            let masked = |group_fwd_mask| PortConfig { group_fwd_mask, ..plain };
            let bit = 1 << last;
            assert_eq!(admit(&frame, &plain, 0), without, "{last}");
            assert_eq!(admit(&frame, &masked(!bit), !bit), without, "{last}");
            assert_eq!(admit(&frame, &plain, bit), Admit::Enter, "{last}");
            assert_eq!(admit(&frame, &masked(bit), 0), Admit::Enter, "{last}");
        }
    }

    #[test]
    fn only_a_forwarding_port_admits() {
        let frame = to([2, 0, 0, 0, 0, 2]);
        assert_eq!(admit(&frame, &port(PortState::Forwarding), 0), Admit::Enter);
        assert_eq!(admit(&frame, &port(PortState::Learning), 0), Admit::LearnOnly);
        for state in [PortState::Disabled, PortState::Blocking, PortState::Gone] {
            assert_eq!(admit(&frame, &port(state), 0), Admit::Refuse(DropReason::NotForwarding));
            assert!(!learns(&port(state)));
        }
    }

    proptest! {
        #[test]
        fn no_group_or_zero_source_enters(source: [u8; 6], destination: [u8; 6], mask: u16) {
            let source = MacAddr::new(source);
            let frame = Ethernet { destination: MacAddr::new(destination), source };
            let refused = admit(&frame, &port(PortState::Forwarding), mask)
                == Admit::Refuse(DropReason::InvalidSource);
            prop_assert_eq!(refused, source.is_group() || source.is_zero());
        }
    }
}

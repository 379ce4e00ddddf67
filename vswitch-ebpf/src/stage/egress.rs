//! May a frame leave by a port, and how?

use vswitch_common::{
    addr::MacAddr,
    drop::DropReason,
    port::{PortConfig, Redirect, Slot, flag},
};

use super::forward::deliver;
use crate::frame::{Cast, OVERHEAD};

/// Whether a port takes part in a flood. Only a forwarding port with the flag for the kind of destination does, never
/// the ingress port (unless it is a hairpin), never between isolated ports.
#[inline(always)]
pub fn floods(
    cast: Cast,
    ingress_slot: Slot,
    ingress: &PortConfig,
    egress_slot: Slot,
    egress: &PortConfig,
) -> bool {
    let wanted = match cast {
        Cast::UnknownUnicast => flag::FLOOD,
        Cast::Multicast => flag::MCAST_FLOOD,
        Cast::Broadcast => flag::BCAST_FLOOD,
    };
    // As in `br_flood` of Linux, nothing is flooded to a port that has its questions answered.
    let is_wanted = egress.flags & (wanted | flag::PROXY_ARP) == wanted;
    egress.ifindex != 0 && is_wanted && deliver(ingress_slot, ingress, egress_slot, egress).is_ok()
}

/// How a unicast frame leaves. `redirect_peer` skips the receiving device's own classification of the frame, so it is
/// used only for frames that are addressed to the peer itself: what a guest bridge, a macvlan or a sniffer behind the
/// peer is to receive goes through the device, which marks it as somebody else's.
#[inline(always)]
pub fn redirect(destination: MacAddr, egress: &PortConfig) -> Redirect {
    if egress.redirect == Redirect::Peer as u8 && egress.peer_mac.to_bits() == destination.to_bits() {
        Redirect::Peer
    } else {
        Redirect::Dev
    }
}

/// What the kernel says when it is asked whether a frame fits a device (`bpf_check_mtu`, Linux 5.12).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MtuCheck {
    /// The frame, or each segment of it, fits.
    Fits,
    /// The frame is longer than MTU and header; it has no segments.
    TooLong,
    /// A segment is longer than the MTU.
    SegmentTooLong,
    /// There is no such device any more.
    NoDevice,
}

/// Whether a frame of `length` bytes may leave by a device with this MTU. One VLAN tag in the frame is not counted.
#[inline(always)]
pub fn fits(check: MtuCheck, length: u32, mtu: u32) -> Result<(), DropReason> {
    match check {
        MtuCheck::Fits => Ok(()),
        MtuCheck::TooLong if length <= mtu + OVERHEAD => Ok(()),
        MtuCheck::TooLong | MtuCheck::SegmentTooLong => Err(DropReason::TooBig),
        MtuCheck::NoDevice => Err(DropReason::DeviceGone),
    }
}

/// To which length a frame is cut so that `wanted` bytes of it are on the wire, a tag included that is not part of `length`.
#[inline(always)]
pub const fn snap(wanted: u32, length: u32, has_tag_beside: bool) -> u32 {
    let wanted = wanted.saturating_sub(if has_tag_beside { 4 } else { 0 });
    if wanted < length { wanted } else { length }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vswitch_common::port::PortState;

    fn port(flags: u32) -> PortConfig {
        PortConfig { ifindex: 5, flags, state: PortState::Forwarding as u8, ..PortConfig::EMPTY }
    }

    #[test]
    fn each_cast_has_its_flag() {
        let casts = [
            (Cast::UnknownUnicast, flag::FLOOD),
            (Cast::Multicast, flag::MCAST_FLOOD),
            (Cast::Broadcast, flag::BCAST_FLOOD),
        ];
        for (cast, wanted) in casts {
            assert!(floods(cast, 1, &port(flag::DEFAULT), 2, &port(wanted)), "{cast:?}");
            assert!(!floods(cast, 1, &port(flag::DEFAULT), 2, &port(flag::DEFAULT & !wanted)), "{cast:?}");
        }
    }

    #[test]
    fn nothing_is_flooded_to_a_proxied_port() {
        for cast in [Cast::UnknownUnicast, Cast::Multicast, Cast::Broadcast] {
            let proxied = port(flag::DEFAULT | flag::PROXY_ARP);
            assert!(!floods(cast, 1, &port(flag::DEFAULT), 2, &proxied), "{cast:?}");
            assert!(floods(cast, 2, &proxied, 1, &port(flag::DEFAULT)), "{cast:?}");
        }
    }

    #[test]
    fn an_empty_slot_gets_nothing() {
        assert!(!floods(Cast::Broadcast, 1, &port(flag::DEFAULT), 2, &PortConfig::EMPTY));
    }

    #[test]
    fn the_peer_is_reached_directly_only_by_its_own_address() {
        let peer_mac = MacAddr::new([2, 0, 0, 0, 0, 9]);
        let direct = PortConfig { redirect: Redirect::Peer as u8, peer_mac, ..port(flag::DEFAULT) };
        assert_eq!(redirect(peer_mac, &direct), Redirect::Peer);
        assert_eq!(redirect(MacAddr::new([2, 0, 0, 0, 0, 8]), &direct), Redirect::Dev);
        assert_eq!(
            redirect(peer_mac, &PortConfig { redirect: Redirect::Dev as u8, ..direct }),
            Redirect::Dev
        );
    }

    #[test]
    fn a_tag_may_exceed_the_mtu() {
        assert_eq!(fits(MtuCheck::TooLong, 1518, 1500), Ok(()));
        assert_eq!(fits(MtuCheck::TooLong, 1519, 1500), Err(DropReason::TooBig));
        assert_eq!(fits(MtuCheck::SegmentTooLong, 64, 1500), Err(DropReason::TooBig));
        assert_eq!(fits(MtuCheck::NoDevice, 64, 1500), Err(DropReason::DeviceGone));
        assert_eq!(fits(MtuCheck::Fits, 65_536, 1500), Ok(()));
    }

    #[test]
    fn a_tag_is_part_of_what_is_on_the_wire() {
        assert_eq!(snap(64, 1514, false), 64);
        assert_eq!(snap(64, 1514, true), 60);
        assert_eq!(snap(64, 60, false), 60);
        assert_eq!(snap(64, 62, true), 60);
    }

    proptest! {
        #[test]
        fn never_back_to_the_ingress(flags: u32, slot in 1u16..64) {
            let port = port(flags & !flag::HAIRPIN);
            for cast in [Cast::UnknownUnicast, Cast::Multicast, Cast::Broadcast] {
                prop_assert!(!floods(cast, slot, &port, slot, &port));
            }
        }
    }
}

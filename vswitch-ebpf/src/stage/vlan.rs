//! In which VLAN is a frame, and with which tag does it leave?

use vswitch_common::{
    drop::DropReason,
    port::{PortConfig, flag},
    vlan::{PortVlans, Retag, Tag},
};

/// The VLAN of a frame that came by a port, as `__allowed_ingress` in Linux `net/bridge/br_vlan.c`: that of its tag, else
/// the port's PVID; the port must be in it. `inside` is what the VLAN identifier of the tag is called inside the switch.
///
/// A port that is in one VLAN only, untagged, takes no frame with two tags: if the outer one were taken off on the way,
/// the sender would choose the VLAN by the inner one.
#[inline(always)]
pub fn classify(tag: Tag, inside: u16, port: &PortConfig, vlans: &PortVlans) -> Result<u16, DropReason> {
    if tag.is_stacked() && port.has(flag::ACCESS) {
        return Err(DropReason::Vlan);
    }
    let vid = if tag.vid() == 0 { port.pvid } else { inside };
    if vid == 0 || !vlans.is_member(vid) {
        return Err(DropReason::Vlan);
    }
    Ok(vid)
}

/// What becomes of the outer tag of a frame of a VLAN that leaves by a port, as `br_handle_vlan` in Linux; an error if
/// the port is not in the VLAN. `outside` is what the VLAN is called on the wire there.
#[inline(always)]
pub fn leave(tag: Tag, vlan: u16, outside: u16, vlans: &PortVlans) -> Result<Retag, DropReason> {
    if !vlans.is_member(vlan) {
        return Err(DropReason::EgressVlan);
    }
    Ok(match (vlans.is_untagged(vlan), tag.is_present()) {
        (true, true) => Retag::POP,
        (true, false) => Retag::KEEP,
        (false, true) if tag.vid() == outside => Retag::KEEP,
        (false, _) => Retag::set(outside),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn vlans(tagged: &[u16], untagged: &[u16]) -> PortVlans {
        let mut vlans = PortVlans::EMPTY;
        for vid in tagged {
            vlans.insert(*vid, false);
        }
        for vid in untagged {
            vlans.insert(*vid, true);
        }
        vlans
    }

    fn port(pvid: u16, flags: u32) -> PortConfig {
        PortConfig { ifindex: 1, pvid, flags, ..PortConfig::EMPTY }
    }

    #[test]
    fn untagged_and_priority_frames_are_of_the_pvid() {
        let trunk = vlans(&[10, 20], &[1]);
        for tag in [Tag::NONE, Tag::new(0xe000, false)] {
            assert_eq!(classify(tag, 0, &port(1, 0), &trunk), Ok(1));
            assert_eq!(classify(tag, 0, &port(0, 0), &trunk), Err(DropReason::Vlan));
        }
    }

    #[test]
    fn tags_choose_among_the_ports_vlans() {
        let trunk = vlans(&[10, 4094], &[1]);
        for (vid, expected) in [(10, Ok(10)), (4094, Ok(4094)), (1, Ok(1)), (11, Err(DropReason::Vlan))] {
            assert_eq!(classify(Tag::new(vid, false), vid, &port(1, 0), &trunk), expected);
        }
    }

    #[test]
    fn an_access_port_takes_no_second_tag() {
        let access = vlans(&[], &[10]);
        for control in [0, 10] {
            let tag = |stacked| Tag::new(control, stacked);
            assert_eq!(classify(tag(true), control, &port(10, flag::ACCESS), &access), Err(DropReason::Vlan));
            assert_eq!(classify(tag(false), control, &port(10, flag::ACCESS), &access), Ok(10));
            assert_eq!(classify(tag(true), control, &port(10, 0), &access), Ok(10));
        }
    }

    #[test]
    fn tags_are_taken_off_and_put_on() {
        let port = vlans(&[10, 20], &[1]);
        let cases = [
            (Tag::NONE, 1, Ok(Retag::KEEP)),
            (Tag::NONE, 10, Ok(Retag::set(10))),
            (Tag::new(10, false), 10, Ok(Retag::KEEP)),
            (Tag::new(1, false), 1, Ok(Retag::POP)),
            (Tag::new(0xe000, false), 1, Ok(Retag::POP)),
            (Tag::new(0xe000, false), 20, Ok(Retag::set(20))),
            (Tag::new(30, false), 30, Err(DropReason::EgressVlan)),
        ];
        for (tag, vlan, expected) in cases {
            assert_eq!(leave(tag, vlan, vlan, &port), expected, "{tag:?} in VLAN {vlan}");
        }
        assert_eq!(leave(Tag::new(10, false), 10, 110, &port), Ok(Retag::set(110)));
        assert_eq!(leave(Tag::new(110, false), 10, 110, &port), Ok(Retag::KEEP));
    }

    proptest! {
        #[test]
        fn no_frame_enters_or_leaves_a_vlan_of_which_the_port_is_no_member(
            members in prop::collection::btree_set(1u16..=4094, 0..8), control: u16, stacked: bool, pvid in 0u16..=4094,
            vlan in 1u16..=4094,
        ) {
            let vlans = vlans(&members.iter().copied().collect::<Vec<_>>(), &[]);
            let tag = Tag::new(control, stacked);
            if let Ok(vid) = classify(tag, tag.vid(), &port(pvid, 0), &vlans) {
                prop_assert!(members.contains(&vid) && (vid == tag.vid() || tag.vid() == 0 && vid == pvid));
            }
            prop_assert_eq!(leave(tag, vlan, vlan, &vlans).is_ok(), members.contains(&vlan));
        }
    }
}

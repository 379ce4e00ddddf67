//! The VLAN of a frame, with the maps that it takes to tell.

use vswitch_common::{
    config::{SwitchConfig, switch_flag},
    drop::DropReason,
    port::{PortConfig, Slot, flag},
    vlan::{Retag, TPID_8021AD, TPID_8021Q, Tag, TranslateKey},
};
use vswitch_ebpf::stage;

use super::{
    skb::{Outer, Skb},
    tables,
};

/// The outer tag, on a switch that looks at tags.
#[inline(always)]
pub fn outer(skb: &Skb, config: &SwitchConfig) -> Outer {
    if !config.has(switch_flag::VLAN_FILTERING) {
        return Outer::NONE;
    }
    let protocol = protocol(config);
    let (tag, control) = skb.tag(protocol);
    Outer { tag, control, protocol }
}

/// As far as it matters for where the frame goes.
#[inline(always)]
pub fn tag(skb: &Skb, config: &SwitchConfig) -> Tag {
    if config.has(switch_flag::VLAN_FILTERING) { skb.tag(protocol(config)).0 } else { Tag::NONE }
}

#[inline(always)]
const fn protocol(config: &SwitchConfig) -> u16 {
    if config.has(switch_flag::VLAN_8021AD) { TPID_8021AD } else { TPID_8021Q }
}

/// The VLAN of a frame that may not enter: none has this number.
pub const REFUSED: u16 = u16::MAX;

/// The VLAN of a frame that came by a port, or [`REFUSED`]; 0 on a switch that does not look at tags.
///
/// A number rather than a result: the compiler keeps a small result in half-written registers, which the verifier does
/// not let pass.
#[inline(always)]
pub fn classify(outer: &Outer, slot: Slot, port: &PortConfig, config: &SwitchConfig) -> u16 {
    if !config.has(switch_flag::VLAN_FILTERING) {
        return 0;
    }
    let Some(vlans) = tables::vlans(slot) else { return REFUSED };
    let wire = outer.tag.vid();
    let inside = if port.has(flag::TRANSLATE) { inside(slot, wire) } else { wire };
    stage::vlan::classify(outer.tag, inside, port, vlans).unwrap_or(REFUSED)
}

/// What becomes of the tag of a frame that leaves by a port; an error if it may not leave there.
#[inline(always)]
pub fn leave(
    outer: &Outer,
    vlan: u16,
    slot: Slot,
    port: &PortConfig,
    config: &SwitchConfig,
) -> Result<Retag, DropReason> {
    if !config.has(switch_flag::VLAN_FILTERING) {
        return Ok(Retag::KEEP);
    }
    let vlans = tables::vlans(slot).ok_or(DropReason::EgressVlan)?;
    let outside = translated(port, TranslateKey::leaving(slot, vlan), vlan);
    stage::vlan::leave(outer.tag, vlan, outside, vlans)
}

/// What a number on the wire is in the switch, at a port that translates. One that only a VLAN of the switch has, which
/// has another number on the wire, is nobody's there: 0.
#[inline(always)]
fn inside(slot: Slot, wire: u16) -> u16 {
    match tables::translated(TranslateKey::entering(slot, wire)) {
        Some(inside) => inside,
        None if tables::translated(TranslateKey::leaving(slot, wire)).is_some() => 0,
        None => wire,
    }
}

#[inline(always)]
fn translated(port: &PortConfig, key: TranslateKey, same: u16) -> u16 {
    if port.has(flag::TRANSLATE) { tables::translated(key).unwrap_or(same) } else { same }
}

//! The VLANs of a port, between the words and the maps.

use vswitch_common::{
    port::{PortConfig, Slot, flag},
    request::Selector,
    vlan::PortVlans,
};

use crate::{
    config::port::vlan::PortVlanSpec,
    control::{ControlError, Opened},
};

/// VLANs for each of which a walk over the table is worth its time.
const FEW: usize = 8;

/// The VLANs in which a port is.
pub fn read(opened: &Opened, slot: Slot, port: &PortConfig) -> Result<PortVlanSpec, ControlError> {
    let vlans = opened.tables.port_vlans(slot)?;
    let map = opened.tables.vlan_map(slot)?;
    Ok(PortVlanSpec {
        pvid: Some(port.pvid).filter(|pvid| *pvid != 0),
        tagged: vlans.vids().filter(|vid| !vlans.is_untagged(*vid)).collect(),
        untagged: vlans.vids().filter(|vid| vlans.is_untagged(*vid)).collect(),
        map,
    })
}

/// Writes the VLANs in which a port is to be. What of it is in the port's row is changed in `port` only, which the caller
/// writes.
pub fn write(
    opened: &mut Opened,
    slot: Slot,
    port: &mut PortConfig,
    spec: &PortVlanSpec,
) -> Result<(), ControlError> {
    let before = opened.tables.port_vlans(slot)?;
    let mut vlans = PortVlans::EMPTY;
    for (set, is_untagged) in [(&spec.tagged, false), (&spec.untagged, true)] {
        set.iter().for_each(|vid| vlans.insert(vid, is_untagged));
    }
    opened.tables.set_vlan_map(slot, &spec.map)?;
    opened.tables.set_port_vlans(slot, &vlans)?;
    forget_addresses(opened, slot, &before, &vlans)?;
    port.pvid = spec.pvid.unwrap_or(0);
    port.flags &= !(flag::ACCESS | flag::TRANSLATE);
    if spec.is_access() {
        port.flags |= flag::ACCESS;
    }
    if !spec.map.is_empty() {
        port.flags |= flag::TRANSLATE;
    }
    Ok(())
}

/// What was learned in a VLAN that the port has left is forgotten, as in `nbp_vlan_delete` of Linux. Of many VLANs at once
/// everything: a walk over the table for each would take longer than to learn again.
fn forget_addresses(
    opened: &mut Opened,
    slot: Slot,
    before: &PortVlans,
    after: &PortVlans,
) -> Result<(), ControlError> {
    let left: Vec<u16> = before.vids().filter(|vid| !after.is_member(*vid)).collect();
    if left.len() > FEW {
        opened.tables.fdb_forget_port(slot)?;
        return Ok(());
    }
    for vlan in left {
        let kinds = Selector::AGEING;
        opened.tables.fdb_sweep(Selector { slot, vlan, kinds, ..Selector::EVERYTHING })?;
    }
    Ok(())
}

/// The row is free: the next port in it begins in no VLAN.
pub fn clear(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    opened.tables.set_vlan_map(slot, &[])?;
    opened.tables.clear_vlan_stats(slot)?;
    Ok(opened.tables.set_port_vlans(slot, &PortVlans::EMPTY)?)
}

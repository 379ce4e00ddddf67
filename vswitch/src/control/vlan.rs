//! VLANs: which ports are in them.

use std::collections::BTreeMap;

use serde::Serialize;
use vswitch_common::{config::switch_flag, port::Slot, vlan::VlanStats};

use super::{
    ControlError, Opened,
    opened::{PortRow, links},
    port::vlan::{read, write},
};
use crate::{
    config::{port::vlan::PortVlanSpec, switch::SwitchSpec, vlan::VidSet},
    datapath::Store,
    host::{Host, Uninterrupted},
    name::{IfName, SwitchName},
};

/// A VLAN at a port, for people and scripts.
#[derive(Debug, Serialize)]
pub struct VlanView {
    /// The port.
    pub port: String,
    /// The VLAN.
    pub vlan: u16,
    /// Whether untagged frames that come by the port are of this VLAN.
    pub pvid: bool,
    /// Whether frames of the VLAN leave by the port without a tag.
    pub untagged: bool,
    /// What went through, on a switch with `vlan-stats`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counters: Option<VlanCounters>,
}

/// What went through a port of one VLAN.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct VlanCounters {
    /// Frames that entered by the port.
    pub rx_frames: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Frames and copies that left by the port.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
}

/// The VLANs of all ports of a switch, or of one.
pub async fn list(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    only: Option<&IfName>,
) -> Result<Vec<VlanView>, ControlError> {
    let opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    let rows = match only {
        Some(name) => vec![opened.row(name, &links)?],
        None => opened.rows()?,
    };
    let counted: BTreeMap<(Slot, u16), VlanStats> =
        opened.tables.vlan_stats()?.into_iter().map(|(key, stats)| ((key.slot, key.vlan), stats)).collect();
    let has_counters = opened.config.has(switch_flag::VLAN_STATS);
    let counters = |slot, vlan| {
        let VlanStats { rx_frames, rx_bytes, tx_frames, tx_bytes } =
            counted.get(&(slot, vlan)).copied().unwrap_or_default();
        VlanCounters { rx_frames, rx_bytes, tx_frames, tx_bytes }
    };
    let mut views = Vec::new();
    for row in rows.iter().filter(|row| row.record.pending == 0) {
        let spec = read(&opened, row.slot, &row.port)?;
        let port = opened.device(row, &links).map_or(row.made_as(), |link| &link.name);
        let mut all = spec.tagged.clone();
        all.insert(&spec.untagged);
        views.extend(all.iter().map(|vlan| VlanView {
            port: port.to_owned(),
            vlan,
            pvid: spec.pvid == Some(vlan),
            untagged: spec.untagged.contains(vlan),
            counters: has_counters.then(|| counters(row.slot, vlan)),
        }));
    }
    Ok(views)
}

/// How a port is entered in VLANs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Untagged frames that come by it are of the VLAN.
    pub pvid: bool,
    /// Frames of the VLAN leave without a tag.
    pub untagged: bool,
}

/// Enters a port in VLANs, or changes how it is in them.
pub async fn add(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    port: &IfName,
    vids: &VidSet,
    entry: Entry,
) -> Result<(), ControlError> {
    if entry.pvid && vids.iter().count() != 1 {
        return Err(ControlError::ManyPvids(vids.to_string()));
    }
    change(store, host, switch, port, |spec| {
        let (into, out_of) = if entry.untagged {
            (&mut spec.untagged, &mut spec.tagged)
        } else {
            (&mut spec.tagged, &mut spec.untagged)
        };
        into.insert(vids);
        out_of.remove(vids);
        if entry.pvid {
            spec.pvid = vids.iter().next();
        } else if spec.pvid.is_some_and(|pvid| vids.contains(pvid)) {
            // As `bridge vlan add` without `pvid`.
            spec.pvid = None;
        }
        Ok(())
    })
    .await
}

/// Takes a port out of VLANs.
pub async fn del(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    port: &IfName,
    vids: &VidSet,
) -> Result<(), ControlError> {
    change(store, host, switch, port, |spec| {
        let mut all = spec.tagged.clone();
        all.insert(&spec.untagged);
        if vids.iter().all(|vid| !all.contains(vid)) {
            let (port, vid) = (port.to_string(), vids.to_string());
            return Err(ControlError::NoVlan { port, vid, vids: all.to_string() });
        }
        spec.tagged.remove(vids);
        spec.untagged.remove(vids);
        spec.pvid = spec.pvid.filter(|pvid| !vids.contains(*pvid));
        Ok(())
    })
    .await
}

async fn change(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    port: &IfName,
    how: impl FnOnce(&mut PortVlanSpec) -> Result<(), ControlError>,
) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, switch)?;
    let row = opened.row(port, &links(host).await?)?;
    let mut spec = read(&opened, row.slot, &row.port)?;
    how(&mut spec)?;
    spec.check()?;
    put(&mut opened, &row, &spec)
}

fn put(opened: &mut Opened, row: &PortRow, spec: &PortVlanSpec) -> Result<(), ControlError> {
    let mut port = row.port;
    write(opened, row.slot, &mut port, spec)?;
    Ok(opened.tables.set_port(row.slot, &port)?)
}

/// Moves the ports whose untagged frames are of the old default VLAN to the new one, as `br_vlan_set_default_pvid` in
/// Linux `net/bridge/br_vlan.c`; as there, only while VLANs are not filtered.
pub fn change_default_pvid(opened: &mut Opened, spec: &SwitchSpec) -> Result<(), ControlError> {
    if spec.vlan_filtering {
        return Err(ControlError::DefaultPvid(opened.name.to_string()));
    }
    let (old, new) = (opened.config.default_pvid, spec.default_pvid);
    for row in opened.rows()? {
        let mut vlans = read(opened, row.slot, &row.port)?;
        let is_default = if old == 0 {
            vlans.pvid.is_none()
        } else {
            vlans.pvid == Some(old) && vlans.untagged.contains(old)
        };
        if !is_default {
            continue;
        }
        vlans.untagged.remove(&VidSet::one(old));
        vlans.pvid = Some(new).filter(|new| *new != 0);
        if let Some(new) = vlans.pvid {
            vlans.tagged.remove(&VidSet::one(new));
            vlans.untagged.insert(&VidSet::one(new));
        }
        put(opened, &row, &vlans)?;
    }
    Ok(())
}

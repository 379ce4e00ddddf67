//! The FDB: listed, added to, removed from.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use vswitch_common::{
    addr::MacAddr,
    fdb::{FdbEntry, FdbKey, FdbKind},
    port::{PortState, Slot},
};

use super::{
    ControlError, Opened,
    opened::{Links, links},
};
use crate::{
    config::port::state_word,
    datapath::{DatapathError, Store},
    host::{Host, Link, Uninterrupted},
    name::{IfName, SwitchName},
};

/// An address, for people and scripts.
#[derive(Debug, Serialize)]
pub struct FdbView {
    /// The address.
    pub mac: String,
    /// Its VLAN; 0 on a switch that does not filter VLANs.
    pub vlan: u16,
    /// The port behind which it is.
    pub port: String,
    /// `dynamic`, `static`, `sticky` or `local`.
    pub kind: &'static str,
    /// Milliseconds since the entry was last refreshed; 0 for entries that do not age.
    pub age_ms: u64,
}

/// Which addresses a flush is about.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// Only those behind this port.
    pub port: Option<IfName>,
    /// Only those of this VLAN.
    pub vlan: Option<u16>,
}

/// The entries that count: not expired, and of a port that still exists.
pub fn live_entries(opened: &Opened) -> Result<Vec<(FdbKey, FdbEntry)>, ControlError> {
    let now = opened.now()?;
    let mut live = Vec::new();
    for (key, entry) in opened.tables.fdb_entries()? {
        if is_live(opened, &entry, now)? {
            live.push((key, entry));
        }
    }
    Ok(live)
}

/// The kind of each address that counts.
pub fn kinds(store: &Store, name: &SwitchName) -> Result<Vec<&'static str>, ControlError> {
    let opened = Opened::find_anywhere(store, name)?;
    Ok(live_entries(&opened)?.iter().map(|(_, entry)| word(entry.kind())).collect())
}

fn is_live(opened: &Opened, entry: &FdbEntry, now: u64) -> Result<bool, ControlError> {
    let port = opened.tables.port(entry.slot)?;
    let link = opened.tables.link(entry.slot)?;
    Ok(entry.is_alive(&port, &link) && !entry.is_expired(now, opened.config.ageing_jiffies))
}

/// All addresses of a switch whose port's device is there and up.
pub async fn list(store: &Store, host: &Host, name: &SwitchName) -> Result<Vec<FdbView>, ControlError> {
    let opened = Opened::find(store, name)?;
    let links = links(host).await?;
    let now = opened.now()?;
    let hz = u64::from(opened.config.hz.max(1));
    let mut views = Vec::new();
    let devices: BTreeMap<Slot, &Link> =
        opened.rows()?.iter().filter_map(|row| Some((row.slot, opened.device(row, &links)?))).collect();
    for (key, entry) in live_entries(&opened)? {
        let Some(link) = devices.get(&entry.slot) else {
            continue;
        };
        let ages = entry.kind().ages();
        if ages && !link.carrier && opened.tables.port(entry.slot)?.backup == 0 {
            // As a bridge, which forgets what was behind a port that goes down; the program may not have noticed.
            continue;
        }
        let age_ms = if ages { now.saturating_sub(entry.stamp).saturating_mul(1000) / hz } else { 0 };
        views.push(FdbView {
            mac: key.mac().to_string(),
            vlan: key.vlan(),
            port: link.name.clone(),
            kind: word(entry.kind()),
            age_ms,
        });
    }
    Ok(views)
}

/// Adds an address behind a port, or replaces what is known about it.
pub async fn add(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    mac: MacAddr,
    port: &IfName,
    vlan: u16,
    kind: FdbKind,
) -> Result<(), ControlError> {
    check_station(mac)?;
    check_vlan(vlan)?;
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let links = links(host).await?;
    let row = opened.row(port, &links)?;
    let key = FdbKey::new(mac, vlan);
    if let Some(entry) = opened.tables.fdb_entry(key)? {
        refuse_local(&opened, mac, &entry, &links)?;
    }
    // As `fdb_add_entry` of the Linux bridge.
    if kind.ages() && !matches!(row.port.state(), PortState::Learning | PortState::Forwarding) {
        let state = state_word(row.port.state());
        return Err(ControlError::NotLearning { port: port.to_string(), state, mac: mac.to_string() });
    }
    let epoch = opened.tables.link(row.slot)?.epoch;
    let entry = entry(row.slot, row.port.incarnation, epoch, kind, opened.now()?);
    match opened.tables.fdb_set(key, &entry) {
        Err(DatapathError::FdbFull) => {
            // What does not count any more is only removed when its room is needed.
            let live: BTreeSet<u64> = live_entries(&opened)?.iter().map(|(key, _)| key.to_bits()).collect();
            opened.tables.fdb_remove(|key, _| !live.contains(&key.to_bits()))?;
            opened.tables.fdb_set(key, &entry)?;
        }
        result => result?,
    }
    Ok(())
}

/// Removes an address.
pub async fn del(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    mac: MacAddr,
    vlan: u16,
    port: Option<&IfName>,
) -> Result<(), ControlError> {
    check_station(mac)?;
    check_vlan(vlan)?;
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let links = links(host).await?;
    let slot = match port {
        Some(port) => Some(opened.row(port, &links)?.slot),
        None => None,
    };
    let key = FdbKey::new(mac, vlan);
    let is_known = match opened.tables.fdb_entry(key)? {
        Some(entry) => {
            refuse_local(&opened, mac, &entry, &links)?;
            is_live(&opened, &entry, opened.now()?)?
        }
        None => false,
    };
    let removed = opened
        .tables
        .fdb_remove(|candidate, entry| candidate == key && slot.is_none_or(|slot| slot == entry.slot))?;
    // What does not count any more is absent, whether its place was reclaimed or not.
    if !is_known || removed == 0 {
        let vlan = if vlan == 0 { String::new() } else { format!(" in VLAN {vlan}") };
        return Err(ControlError::NoAddress { switch: name.to_string(), mac: mac.to_string(), vlan });
    }
    Ok(())
}

/// Forgets the addresses of a switch that age, or a selection of them. Static ones and ports' own stay.
pub async fn flush(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    selection: &Selection,
) -> Result<usize, ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let slot = match &selection.port {
        Some(port) => Some(opened.row(port, &links(host).await?)?.slot),
        None => None,
    };
    Ok(opened.tables.fdb_remove(|key, entry| {
        entry.kind().ages()
            && slot.is_none_or(|slot| slot == entry.slot)
            && selection.vlan.is_none_or(|vlan| vlan == key.vlan())
    })?)
}

/// An entry made by us.
pub fn entry(slot: Slot, incarnation: u16, epoch: u16, kind: FdbKind, now: u64) -> FdbEntry {
    FdbEntry {
        slot,
        incarnation,
        kind: kind as u8,
        flags: 0,
        epoch,
        stamp: now,
        moved_at: 0,
        moves: 0,
        reserved: 0,
    }
}

/// Refuses addresses that no station has.
pub fn check_station(mac: MacAddr) -> Result<(), ControlError> {
    if mac.is_station() {
        return Ok(());
    }
    let what = if mac.is_zero() { "the zero" } else { "a group" };
    Err(ControlError::NotStation { mac: mac.to_string(), what })
}

fn check_vlan(vlan: u16) -> Result<(), ControlError> {
    if vlan == 0 { Ok(()) } else { Err(ControlError::Vlan(vlan)) }
}

fn refuse_local(opened: &Opened, mac: MacAddr, entry: &FdbEntry, links: &Links) -> Result<(), ControlError> {
    let row = opened.tables.port(entry.slot)?;
    let link = opened.tables.link(entry.slot)?;
    if entry.kind() != FdbKind::Local || !entry.is_alive(&row, &link) {
        return Ok(());
    }
    let port = links.get(&row.ifindex).map(|link| link.name.clone()).unwrap_or_default();
    Err(ControlError::LocalAddress { mac: mac.to_string(), port })
}

fn word(kind: FdbKind) -> &'static str {
    match kind {
        FdbKind::Dynamic => "dynamic",
        FdbKind::Static => "static",
        FdbKind::Sticky => "sticky",
        FdbKind::Local => "local",
        FdbKind::External => "extern-learn",
    }
}

/// Refuses a port that the switch does not have.
pub async fn check_port(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    port: &IfName,
) -> Result<(), ControlError> {
    Opened::find(store, name)?.row(port, &links(host).await?).map(|_| ())
}

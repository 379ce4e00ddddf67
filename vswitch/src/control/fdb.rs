//! The FDB: listed, added to, removed from.

use std::collections::BTreeMap;

use serde::Serialize;
use vswitch_common::{
    addr::MacAddr,
    config::switch_flag,
    fdb::{FdbEntry, FdbKey, FdbKind},
    port::{PortState, Slot},
    request::{Answer, Selector, only},
};

use super::{
    ControlError, Opened,
    opened::{Links, PortRow, links},
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
    /// `dynamic`, `static`, `sticky`, `local` or `extern-learn`.
    pub kind: &'static str,
    /// Noted by a locked port (`mab`): the station is not admitted.
    pub locked: bool,
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
    /// Only those of these kinds; all that age if there is none.
    pub kinds: Vec<FdbKind>,
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
            locked: entry.is_locked(),
            age_ms,
        });
    }
    Ok(views)
}

/// What is known about one address.
///
/// # Errors
/// When nothing is.
pub async fn show(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    mac: MacAddr,
    vlan: Option<u16>,
) -> Result<Vec<FdbView>, ControlError> {
    let text = mac.to_string();
    let mut views = list(store, host, name).await?;
    views.retain(|view| view.mac == text && vlan.is_none_or(|vlan| vlan == view.vlan));
    if views.is_empty() {
        let vlan = in_vlan(vlan.unwrap_or(0));
        return Err(ControlError::NoAddress { switch: name.to_string(), mac: text, vlan });
    }
    Ok(views)
}

/// An address that is to be put behind a port.
#[derive(Clone, Debug)]
pub struct Addition {
    /// The address.
    pub mac: MacAddr,
    /// The port.
    pub port: IfName,
    /// The VLAN; all of the port's if `None`.
    pub vlan: Option<u16>,
    /// What is known about it.
    pub kind: FdbKind,
    /// Whether an entry that somebody has added makes way.
    pub replaces: bool,
}

/// Adds an address behind a port. What was learned about it makes way; what was added does so only if that is asked for.
pub async fn add(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    addition: &Addition,
) -> Result<(), ControlError> {
    let Addition { mac, port, vlan, kind, replaces } = addition;
    check_station(*mac)?;
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    check_vlan(&opened, *vlan)?;
    let links = links(host).await?;
    let row = opened.row(port, &links)?;
    // As `fdb_add_entry` of the Linux bridge.
    if kind.ages() && !matches!(row.port.state(), PortState::Learning | PortState::Forwarding) {
        let state = state_word(row.port.state());
        return Err(ControlError::NotLearning { port: port.to_string(), state, mac: mac.to_string() });
    }
    let vlans = vlans_of(&opened, &row, port, *vlan)?;
    for vlan in &vlans {
        let key = FdbKey::new(*mac, *vlan);
        if let Some(entry) = opened.tables.fdb_entry(key)? {
            refuse_local(&opened, *mac, &entry, &links)?;
            // Looked at before anything is changed: a later port of the list must not find half of it done.
            if !*replaces && counts(&opened, &entry)? && entry.kind() != FdbKind::Dynamic {
                return Err(exists(&opened, &links, key, &entry));
            }
        }
    }
    let entry = entry(row.slot, row.port.incarnation, *kind);
    for vlan in vlans {
        let key = FdbKey::new(*mac, vlan);
        let mut answer = opened.tables.fdb_put(key, &entry, *replaces)?;
        if answer == Answer::Full {
            // What does not count any more is only looked for everywhere when its room is needed.
            opened.tables.fdb_sweep(Selector {
                kinds: Selector::ALL_KINDS,
                only: only::VOID,
                ..Selector::EVERYTHING
            })?;
            answer = opened.tables.fdb_put(key, &entry, *replaces)?;
        }
        match answer {
            Answer::Done => {}
            Answer::Full | Answer::Busy => return Err(DatapathError::FdbFull.into()),
            Answer::Limited => {
                let (switch, port) = (name.to_string(), port.to_string());
                return Err(ControlError::Limited { switch, port, limit: row.port.max_macs });
            }
            Answer::Exists => {
                let there = opened.tables.fdb_entry(key)?.unwrap_or(entry);
                return Err(exists(&opened, &links, key, &there));
            }
        }
    }
    Ok(())
}

/// Removes an address.
pub async fn del(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    mac: MacAddr,
    vlan: Option<u16>,
    port: Option<&IfName>,
) -> Result<(), ControlError> {
    check_station(mac)?;
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    check_vlan(&opened, vlan)?;
    let links = links(host).await?;
    let slot = match port {
        Some(port) => opened.row(port, &links)?.slot,
        None => 0,
    };
    if let Some(entry) = opened.tables.fdb_entry(FdbKey::new(mac, vlan.unwrap_or(0)))? {
        refuse_local(&opened, mac, &entry, &links)?;
    }
    let vlan_or_any = vlan.unwrap_or(Selector::ANY_VLAN);
    let kinds = Selector::ALL_KINDS;
    let wanted = Selector { mac, slot, vlan: vlan_or_any, kinds, ..Selector::EVERYTHING };
    // What does not count any more is absent, whether its place was reclaimed or not.
    opened.tables.fdb_sweep(Selector { only: only::VOID, ..wanted })?;
    if opened.tables.fdb_sweep(wanted)? == 0 {
        let vlan = in_vlan(vlan.unwrap_or(0));
        return Err(ControlError::NoAddress { switch: name.to_string(), mac: mac.to_string(), vlan });
    }
    Ok(())
}

/// Forgets the addresses of a switch that age, or a selection of its addresses. Ports' own stay.
pub async fn flush(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    selection: &Selection,
) -> Result<usize, ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    check_vlan(&opened, selection.vlan)?;
    let slot = match &selection.port {
        Some(port) => opened.row(port, &links(host).await?)?.slot,
        None => 0,
    };
    let kinds = selection.kinds.iter().fold(0, |bits, kind| bits | 1 << *kind as u8);
    let kinds = if kinds == 0 { Selector::AGEING } else { kinds };
    Ok(opened.tables.fdb_sweep(Selector {
        slot,
        vlan: selection.vlan.unwrap_or(Selector::ANY_VLAN),
        kinds,
        ..Selector::EVERYTHING
    })?)
}

/// Divides the FDB among the ports: what one has beyond its share is borrowed.
pub fn share_out(opened: &mut Opened) -> Result<(), ControlError> {
    let ports = u32::try_from(opened.rows()?.len()).unwrap_or(u32::MAX).max(1);
    opened.config.fdb_share = (opened.config.fdb_size / ports).max(1);
    Ok(opened.tables.set_config(&opened.config)?)
}

/// An entry made by us. The program fills in the rest.
pub fn entry(slot: Slot, incarnation: u16, kind: FdbKind) -> FdbEntry {
    FdbEntry { slot, incarnation, kind: kind as u8, ..FdbEntry::EMPTY }
}

fn counts(opened: &Opened, entry: &FdbEntry) -> Result<bool, ControlError> {
    let (port, link) = (opened.tables.port(entry.slot)?, opened.tables.link(entry.slot)?);
    Ok(!entry.is_void(&port, &link, opened.now()?, opened.config.ageing_jiffies))
}

fn exists(opened: &Opened, links: &Links, key: FdbKey, entry: &FdbEntry) -> ControlError {
    let index = opened.tables.port(entry.slot).map_or(0, |port| port.ifindex);
    let port = links.get(&index).map_or_else(|| format!("#{}", entry.slot), |link| link.name.clone());
    ControlError::AddressExists { mac: key.mac().to_string(), vlan: in_vlan(key.vlan()), port }
}

/// The VLANs in which an address of a port is: the one that was named, or, as on a bridge, all of the port's.
fn vlans_of(
    opened: &Opened,
    row: &PortRow,
    port: &IfName,
    vlan: Option<u16>,
) -> Result<Vec<u16>, ControlError> {
    if let Some(vlan) = vlan {
        return Ok(vec![vlan]);
    }
    if !opened.config.has(switch_flag::VLAN_FILTERING) {
        return Ok(vec![0]);
    }
    let vlans = opened.tables.vids(row.slot)?;
    if vlans.is_empty() {
        return Err(ControlError::Nowhere { port: port.to_string() });
    }
    Ok(vlans)
}

fn in_vlan(vlan: u16) -> String {
    if vlan == 0 { String::new() } else { format!(" in VLAN {vlan}") }
}

/// Refuses addresses that no station has.
pub fn check_station(mac: MacAddr) -> Result<(), ControlError> {
    if mac.is_station() {
        return Ok(());
    }
    let what = if mac.is_zero() { "the zero" } else { "a group" };
    Err(ControlError::NotStation { mac: mac.to_string(), what })
}

fn check_vlan(opened: &Opened, vlan: Option<u16>) -> Result<(), ControlError> {
    let filters = opened.config.has(switch_flag::VLAN_FILTERING);
    match vlan {
        Some(vlan) if vlan != 0 && !filters => Err(ControlError::Vlan(vlan)),
        Some(0) if filters => Err(ControlError::VlanZero),
        _ => Ok(()),
    }
}

/// Refuses the address of a port's own device, which comes and goes with the port.
fn refuse_local(opened: &Opened, mac: MacAddr, entry: &FdbEntry, links: &Links) -> Result<(), ControlError> {
    let row = opened.tables.port(entry.slot)?;
    let link = opened.tables.link(entry.slot)?;
    if !entry.is_own() || !entry.is_alive(&row, &link) {
        return Ok(());
    }
    let port = links.get(&row.ifindex).map(|link| link.name.clone()).unwrap_or_default();
    Err(ControlError::LocalAddress { mac: mac.to_string(), port })
}

/// The word for a kind in tables and JSON.
pub fn word(kind: FdbKind) -> &'static str {
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

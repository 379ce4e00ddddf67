//! Switches: made, removed, listed, changed.

use serde::Serialize;
use vswitch_common::{
    config::{SwitchConfig, switch_flag},
    fdb::FdbKind,
    record::Note,
    request::Selector,
};

use super::{ControlError, Opened, fdb, mirror, opened::links, port, vlan};
use crate::{
    config::{
        keys::KeyValue,
        switch::{SwitchSpec, protocol_word},
    },
    datapath::{DatapathError, Store, Tables, clock, object, watch},
    host::{Host, Netns, Uninterrupted},
    name::SwitchName,
};

/// A switch, for people and scripts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct SwitchView {
    /// Its name.
    pub name: String,
    /// Whether its ports are in the namespace of the caller.
    pub here: bool,
    /// Number of ports.
    pub ports: usize,
    /// Addresses that are in the FDB and not expired, but for those of the ports' own devices.
    pub fdb_entries: usize,
    /// Room in the FDB.
    pub fdb_size: u32,
    /// Room for ports.
    pub port_slots: u32,
    /// Lifetime of a learned address, in seconds; 0 = for ever.
    pub ageing: u32,
    /// See [`SwitchConfig::group_fwd_mask`].
    pub group_fwd_mask: u16,
    /// Whether frames stay within their VLAN.
    pub vlan_filtering: bool,
    /// `802.1q` or `802.1ad`: which tags count.
    pub vlan_protocol: &'static str,
    /// The VLAN of untagged frames at a new port; 0 = a new port is in no VLAN.
    pub default_pvid: u16,
    /// Whether frames are counted for each port and VLAN.
    pub vlan_stats: bool,
    /// Whether sources of link-local frames are learned.
    pub linklocal_learn: bool,
    /// What the user wrote about it.
    pub description: String,
    /// Names of its mirror sessions.
    pub mirrors: Vec<String>,
    /// Whether the kernel tells the switch when a port's device goes down.
    pub link_watch: bool,
    /// Addresses that were not learned because the FDB was full.
    pub fdb_full: u64,
    /// Addresses that were not learned because their port had as many as it may.
    pub fdb_limited: u64,
    /// Learned addresses that take room in the FDB, expired ones included.
    pub fdb_learned: u64,
    /// Added addresses that take room in it.
    pub fdb_added: u64,
    /// Learned addresses that each port may have whatever the others do.
    pub fdb_share: u32,
    /// Moves of one address within a second beyond which a move guard acts.
    pub move_limit: u16,
    /// For how long a guard shuts a port, in seconds; 0 = until the user opens it.
    pub hold: u32,
}

/// Makes a switch without ports.
pub fn add(store: &Store, name: &SwitchName, words: &[KeyValue]) -> Result<(), ControlError> {
    let spec = SwitchSpec::default().with(words)?;
    let lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let config = config_of(&spec)?;
    let prepared = store.prepare(name, &lock)?;
    let made = object::load(&prepared, &config)
        .and_then(|()| {
            let mut tables = Tables::open(&prepared)?;
            tables.set_note(0, &Note::new(&spec.description))?;
            tables.set_config(&config)
        })
        .and_then(|()| store.publish(name, &prepared));
    if let Err(error) = made {
        store.discard(&prepared)?;
        return Err(error.into());
    }
    Ok(())
}

/// Removes a switch, its ports, and what was made for them. Goes on after an error, and tells all of them.
pub async fn del(store: &Store, host: &Host, name: &SwitchName) -> Result<(), ControlError> {
    let lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut errors = Vec::new();
    match Opened::find(store, name) {
        Ok(mut opened) => {
            let mut links = links(host).await?;
            let (mut finished, mut unfinished) = (Vec::new(), Vec::new());
            for row in opened.rows()? {
                if row.record.pending == 0 {
                    let link = links.remove(&row.port.ifindex).filter(|link| opened.is_device(&row, link));
                    finished.push((row, link));
                } else {
                    unfinished.push(row);
                }
            }
            errors.extend(port::del::remove_all(store, host, &mut opened, &finished).await.err());
            for row in unfinished {
                errors.extend(port::del::remove(store, host, &mut opened, &row).await.err());
            }
        }
        // A layout of another build, or a half-made one: nothing to be saved in it.
        Err(ControlError::Datapath(DatapathError::Layout { .. })) => {}
        Err(error) => return Err(error),
    }
    if let Err(error) = store.remove(name, &lock) {
        errors.push(error.into());
    }
    ControlError::collect(errors)
}

/// Forgets a switch without touching a device: its programs detach, its tables go.
pub fn forget(store: &Store, name: &SwitchName) -> Result<(), ControlError> {
    let lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    Ok(store.remove(name, &lock)?)
}

/// Changes a switch; effective for the very next frame.
pub fn set(store: &Store, name: &SwitchName, words: &[KeyValue]) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find_anywhere(store, name)?;
    let before = spec_of(&opened)?;
    let spec = before.clone().changed(words)?;
    if spec.default_pvid != before.default_pvid {
        vlan::change_default_pvid(&mut opened, &spec)?;
    }
    opened.config.ageing_jiffies = u64::from(spec.ageing) * u64::from(opened.config.hz);
    opened.config.cache_shift = SwitchConfig::cache_shift_for(opened.config.ageing_jiffies);
    opened.config.group_fwd_mask = spec.group_fwd_mask;
    opened.config.flags = opened.config.flags & !SPEC_FLAGS | spec_flags(&spec);
    opened.config.default_pvid = spec.default_pvid;
    opened.tables.set_note(0, &Note::new(&spec.description))?;
    opened.config.move_limit = spec.move_limit;
    opened.config.hold_jiffies = spec.hold.saturating_mul(opened.config.hz);
    opened.tables.set_config(&opened.config)?;
    if (spec.vlan_filtering, spec.is_8021ad) != (before.vlan_filtering, before.is_8021ad) {
        // What was learned is of other VLANs now.
        opened.tables.fdb_sweep(Selector { kinds: 1 << FdbKind::Dynamic as u8, ..Selector::EVERYTHING })?;
    }
    Ok(())
}

/// One switch.
pub fn show(store: &Store, name: &SwitchName) -> Result<SwitchView, ControlError> {
    let opened = Opened::find_anywhere(store, name)?;
    let spec = spec_of(&opened)?;
    let state = opened.tables.state()?;
    Ok(SwitchView {
        name: name.to_string(),
        here: opened.config.netns_cookie == Netns::current()?.cookie()?,
        ports: opened.rows()?.iter().filter(|row| row.record.pending == 0).count(),
        fdb_entries: fdb::live_entries(&opened)?.iter().filter(|(_, entry)| !entry.is_own()).count(),
        fdb_size: spec.fdb_size,
        port_slots: spec.port_slots,
        ageing: spec.ageing,
        group_fwd_mask: spec.group_fwd_mask,
        vlan_filtering: spec.vlan_filtering,
        vlan_protocol: protocol_word(spec.is_8021ad),
        default_pvid: spec.default_pvid,
        vlan_stats: spec.vlan_stats,
        linklocal_learn: spec.linklocal_learn,
        description: spec.description,
        mirrors: mirror::names(&opened)?,
        link_watch: watch::is_on(&opened.directory),
        fdb_full: state.fdb_full,
        fdb_limited: state.fdb_limited,
        fdb_learned: state.learned,
        fdb_added: state.added,
        fdb_share: opened.config.fdb_share,
        move_limit: spec.move_limit,
        hold: spec.hold,
    })
}

/// All switches of the store.
pub fn list(store: &Store) -> Result<Vec<SwitchView>, ControlError> {
    store.switches()?.iter().map(|name| show(store, name)).collect()
}

fn config_of(spec: &SwitchSpec) -> Result<SwitchConfig, ControlError> {
    let hz = clock::hz();
    let ageing_jiffies = u64::from(spec.ageing) * u64::from(hz);
    Ok(SwitchConfig {
        ageing_jiffies,
        netns_cookie: Netns::current()?.cookie()?,
        generation: 0,
        high_slot: 0,
        group_fwd_mask: spec.group_fwd_mask,
        cache_shift: SwitchConfig::cache_shift_for(ageing_jiffies),
        log_level: 0,
        hz,
        fdb_size: spec.fdb_size,
        port_slots: spec.port_slots,
        flags: spec_flags(spec),
        fdb_share: spec.fdb_size,
        hold_jiffies: spec.hold.saturating_mul(hz),
        move_limit: spec.move_limit,
        default_pvid: spec.default_pvid,
        acl_bank: 0,
        acl_masks: 0,
        mirrors: 0,
        reserved: [0; 3],
    })
}

/// The bits that follow from the specification.
const SPEC_FLAGS: u32 = switch_flag::VLAN_FILTERING
    | switch_flag::VLAN_8021AD
    | switch_flag::VLAN_STATS
    | switch_flag::NO_LINKLOCAL_LEARN;

fn spec_flags(spec: &SwitchSpec) -> u32 {
    let bit = |wanted, bit| if wanted { bit } else { 0 };
    bit(spec.vlan_filtering, switch_flag::VLAN_FILTERING)
        | bit(spec.is_8021ad, switch_flag::VLAN_8021AD)
        | bit(spec.vlan_stats, switch_flag::VLAN_STATS)
        | bit(!spec.linklocal_learn, switch_flag::NO_LINKLOCAL_LEARN)
}

fn spec_of(opened: &Opened) -> Result<SwitchSpec, ControlError> {
    let config = &opened.config;
    let hz = u64::from(config.hz.max(1));
    Ok(SwitchSpec {
        ageing: u32::try_from(config.ageing_jiffies / hz).unwrap_or(u32::MAX),
        fdb_size: config.fdb_size,
        port_slots: config.port_slots,
        group_fwd_mask: config.group_fwd_mask,
        vlan_filtering: config.has(switch_flag::VLAN_FILTERING),
        is_8021ad: config.has(switch_flag::VLAN_8021AD),
        default_pvid: config.default_pvid,
        vlan_stats: config.has(switch_flag::VLAN_STATS),
        linklocal_learn: !config.has(switch_flag::NO_LINKLOCAL_LEARN),
        description: opened.tables.note(0)?.text().to_owned(),
        move_limit: config.move_limit,
        hold: config.hold_jiffies / config.hz.max(1),
    })
}

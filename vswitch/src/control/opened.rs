//! A switch that was found again.

use std::{collections::BTreeMap, path::PathBuf};

use vswitch_common::{
    config::SwitchConfig,
    port::{PortConfig, Slot},
    record::{PortKind, PortRecord, unpack},
};

use super::ControlError;
use crate::{
    datapath::{Store, Tables, clock},
    host::{Host, Link, Netns},
    name::{IfName, SwitchName},
};

/// A switch and the links around it, as they are at this moment.
pub struct Opened {
    /// Its name.
    pub name: SwitchName,
    /// Its directory in bpffs.
    pub directory: PathBuf,
    /// Its maps.
    pub tables: Tables,
    /// Its configuration.
    pub config: SwitchConfig,
}

/// A port as its maps say.
#[derive(Clone, Copy, Debug)]
pub struct PortRow {
    /// Its slot.
    pub slot: Slot,
    /// What the program sees.
    pub port: PortConfig,
    /// What we remember.
    pub record: PortRecord,
}

impl PortRow {
    /// The name under which the port was made.
    pub fn made_as(&self) -> &str {
        unpack(&self.record.ifname)
    }
}

/// The links of this namespace by index.
pub type Links = BTreeMap<u32, Link>;

/// Reads all links of this namespace.
pub async fn links(host: &Host) -> Result<Links, ControlError> {
    Ok(host.links().await?.into_iter().map(|link| (link.index, link)).collect())
}

impl Opened {
    /// Opens a switch of the store.
    ///
    /// # Errors
    /// When there is none of that name, or it lives in another network namespace than the caller.
    pub fn find(store: &Store, name: &SwitchName) -> Result<Self, ControlError> {
        let opened = Self::find_anywhere(store, name)?;
        if opened.config.netns_cookie != Netns::current()?.cookie()? {
            return Err(ControlError::Elsewhere(name.to_string()));
        }
        Ok(opened)
    }

    /// Opens a switch whose devices may be in another namespace: good for its maps only.
    pub fn find_anywhere(store: &Store, name: &SwitchName) -> Result<Self, ControlError> {
        let directory = store.find(name)?;
        let tables = Tables::open(&directory)?;
        let config = tables.config()?;
        Ok(Self { name: name.clone(), directory, tables, config })
    }

    /// All ports, by slot; rows that are still being made are included.
    pub fn rows(&self) -> Result<Vec<PortRow>, ControlError> {
        let mut rows = Vec::new();
        for slot in 1..=self.config.high_slot {
            let slot = Slot::try_from(slot).unwrap_or(Slot::MAX);
            let record = self.tables.record(slot)?;
            if record.kind != 0 {
                rows.push(PortRow { slot, port: self.tables.port(slot)?, record });
            }
        }
        Ok(rows)
    }

    /// What is written on a device that was made for a port: by this it is known again, since indices and names are used
    /// anew by others.
    pub fn mark(&self, slot: Slot, incarnation: u16) -> String {
        format!("vswitch:{}:{slot}:{incarnation}", self.name)
    }

    /// The device of a port, if it is still there.
    pub fn device<'a>(&self, row: &PortRow, links: &'a Links) -> Option<&'a Link> {
        links.get(&row.port.ifindex).filter(|link| self.is_device(row, link))
    }

    /// Whether a link with a port's interface index is that port's device, rather than a later one with the same index.
    pub fn is_device(&self, row: &PortRow, link: &Link) -> bool {
        let is_made = PortKind::from_u8(row.record.kind).is_some_and(PortKind::is_ours);
        !is_made || link.alias.as_deref() == Some(&self.mark(row.slot, row.port.incarnation))
    }

    /// The port with a name: that of its device now, or, if the device is gone, that under which it was made.
    pub fn row(&self, name: &IfName, links: &Links) -> Result<PortRow, ControlError> {
        let rows = self.rows()?;
        let current =
            |row: &PortRow| self.device(row, links).map_or(row.made_as(), |link| &link.name).to_owned();
        rows.iter().find(|row| current(row) == name.as_str()).copied().ok_or_else(|| {
            let names: Vec<String> = rows.iter().map(|row| format!("`{}`", current(row))).collect();
            let remedy = match names.len() {
                0 => format!("add one with `vswitch port add {} {name}`", self.name),
                1..=8 => format!("it has {}", names.join(", ")),
                _ => format!("list its ports with `vswitch port list {}`", self.name),
            };
            ControlError::NoPort { switch: self.name.to_string(), port: name.to_string(), remedy }
        })
    }

    /// Jiffies of now.
    pub fn now(&self) -> Result<u64, ControlError> {
        Ok(clock::jiffies(&self.directory, &self.tables)?)
    }
}

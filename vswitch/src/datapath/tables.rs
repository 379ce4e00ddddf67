//! A typed handle on every pinned map of a switch. Mirror: `vswitch-ebpf/src/program/tables.rs`.

use std::path::{Path, PathBuf};

use aya::maps::{Array, HashMap, Map, MapData, MapError, PerCpuArray, PerCpuHashMap};
use vswitch_common::{
    acl::{AclCount, AclKey, AclMask, AclRule, AclSpec, BindingKey},
    config::{SwitchConfig, SwitchState},
    fdb::{FdbEntry, FdbKey},
    link::PortLink,
    map,
    meter::Meter,
    mirror::MirrorSession,
    neigh::{NeighEntry, NeighKey},
    port::{PortConfig, Slot},
    record::{Note, PortRecord},
    stats::PortStats,
    vlan::{PortVlan, PortVlans, TranslateKey, VlanStats},
};

use super::DatapathError;

/// The maps of one switch.
pub struct Tables {
    pub(super) switch: PathBuf,
    config: Array<MapData, SwitchConfig>,
    state: Array<MapData, SwitchState>,
    ports: Array<MapData, PortConfig>,
    port_index: HashMap<MapData, u32, u32>,
    port_links: Array<MapData, PortLink>,
    port_records: Array<MapData, PortRecord>,
    stats: PerCpuArray<MapData, PortStats>,
    pub(super) fdb: HashMap<MapData, FdbKey, FdbEntry>,
    pub(super) vlans: Array<MapData, PortVlans>,
    pub(super) vlan_map: HashMap<MapData, TranslateKey, u16>,
    pub(super) meters: Array<MapData, Meter>,
    pub(super) mirrors: Array<MapData, MirrorSession>,
    pub(super) neighs: HashMap<MapData, NeighKey, NeighEntry>,
    notes: Array<MapData, Note>,
    pub(super) vlan_stats: PerCpuHashMap<MapData, PortVlan, VlanStats>,
    pub(super) acl_masks: Array<MapData, AclMask>,
    pub(super) acl_rules: HashMap<MapData, AclKey, AclRule>,
    pub(super) acl_counts: PerCpuArray<MapData, AclCount>,
    pub(super) acl_specs: HashMap<MapData, u32, AclSpec>,
    pub(super) bindings: HashMap<MapData, BindingKey, u32>,
}

impl Tables {
    /// Opens the maps pinned in a switch's directory.
    ///
    /// # Errors
    /// When one is missing or has not the layout of this build.
    pub fn open(switch: &Path) -> Result<Self, DatapathError> {
        Ok(Self {
            switch: switch.to_owned(),
            config: open(switch, map::CONFIG, |data| Array::try_from(Map::Array(data)))?,
            state: open(switch, map::STATE, |data| Array::try_from(Map::Array(data)))?,
            ports: open(switch, map::PORTS, |data| Array::try_from(Map::Array(data)))?,
            port_index: open(switch, map::PORT_INDEX, |data| HashMap::try_from(Map::HashMap(data)))?,
            port_links: open(switch, map::PORT_LINKS, |data| Array::try_from(Map::Array(data)))?,
            port_records: open(switch, map::PORT_RECORDS, |data| Array::try_from(Map::Array(data)))?,
            stats: open(switch, map::STATS, |data| PerCpuArray::try_from(Map::PerCpuArray(data)))?,
            fdb: open(switch, map::FDB, |data| HashMap::try_from(Map::HashMap(data)))?,
            vlans: open(switch, map::VLANS, |data| Array::try_from(Map::Array(data)))?,
            vlan_map: open(switch, map::VLAN_MAP, |data| HashMap::try_from(Map::HashMap(data)))?,
            meters: open(switch, map::METERS, |data| Array::try_from(Map::Array(data)))?,
            mirrors: open(switch, map::MIRRORS, |data| Array::try_from(Map::Array(data)))?,
            neighs: open(switch, map::NEIGHS, |data| HashMap::try_from(Map::HashMap(data)))?,
            vlan_stats: open(switch, map::VLAN_STATS, |data| {
                PerCpuHashMap::try_from(Map::PerCpuHashMap(data))
            })?,
            notes: open(switch, map::NOTES, |data| Array::try_from(Map::Array(data)))?,
            acl_masks: open(switch, map::ACL_MASKS, |data| Array::try_from(Map::Array(data)))?,
            acl_rules: open(switch, map::ACL_RULES, |data| HashMap::try_from(Map::HashMap(data)))?,
            acl_counts: open(switch, map::ACL_COUNTS, |data| PerCpuArray::try_from(Map::PerCpuArray(data)))?,
            acl_specs: open(switch, map::ACL_SPECS, |data| HashMap::try_from(Map::HashMap(data)))?,
            bindings: open(switch, map::BINDINGS, |data| HashMap::try_from(Map::HashMap(data)))?,
        })
    }

    /// The switch's configuration.
    pub fn config(&self) -> Result<SwitchConfig, DatapathError> {
        Ok(self.config.get(&0, 0)?)
    }

    /// Changes the configuration; its generation is bumped afterwards, in a second write, so that a verdict made
    /// with the old one is void as soon as the new one is visible.
    pub fn set_config(&mut self, config: &SwitchConfig) -> Result<(), DatapathError> {
        // The caller's copy may be older than the last bump, and a generation never goes back.
        let generation = self.config()?.generation;
        self.config.set(0, SwitchConfig { generation, ..*config }, 0)?;
        self.void_verdicts()
    }

    /// Makes every cached verdict void. To be called after a change is visible.
    pub fn void_verdicts(&mut self) -> Result<(), DatapathError> {
        let mut config = self.config()?;
        config.generation = config.generation.wrapping_add(1);
        Ok(self.config.set(0, config, 0)?)
    }

    /// The program's notes.
    pub fn state(&self) -> Result<SwitchState, DatapathError> {
        Ok(self.state.get(&0, 0)?)
    }

    /// A port's row; [`PortConfig::EMPTY`] but for the incarnation if the slot is free.
    pub fn port(&self, slot: Slot) -> Result<PortConfig, DatapathError> {
        Ok(self.ports.get(&u32::from(slot), 0)?)
    }

    /// Writes a port's row and voids the verdicts.
    pub fn set_port(&mut self, slot: Slot, port: &PortConfig) -> Result<(), DatapathError> {
        self.ports.set(u32::from(slot), port, 0)?;
        self.void_verdicts()
    }

    /// Whether the device of a port is up, as the program knows.
    pub fn link(&self, slot: Slot) -> Result<PortLink, DatapathError> {
        Ok(self.port_links.get(&u32::from(slot), 0)?)
    }

    /// The slot of the port with this device.
    pub fn slot_of(&self, ifindex: u32) -> Result<Option<Slot>, DatapathError> {
        match self.port_index.get(&ifindex, 0) {
            Ok(slot) => Ok(Slot::try_from(slot).ok()),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Lets frames of a device enter by a port.
    pub fn set_index(&mut self, ifindex: u32, slot: Slot) -> Result<(), DatapathError> {
        Ok(self.port_index.insert(ifindex, u32::from(slot), 0)?)
    }

    /// Frames of this device enter no more.
    pub fn clear_index(&mut self, ifindex: u32) -> Result<(), DatapathError> {
        match self.port_index.remove(&ifindex) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// What the controller remembers about a port.
    pub fn record(&self, slot: Slot) -> Result<PortRecord, DatapathError> {
        Ok(self.port_records.get(&u32::from(slot), 0)?)
    }

    /// Remembers it.
    pub fn set_record(&mut self, slot: Slot, record: &PortRecord) -> Result<(), DatapathError> {
        Ok(self.port_records.set(u32::from(slot), record, 0)?)
    }

    /// What the user wrote about a port, or, for slot 0, about the switch.
    pub fn note(&self, slot: Slot) -> Result<Note, DatapathError> {
        Ok(self.notes.get(&u32::from(slot), 0)?)
    }

    /// Keeps it.
    pub fn set_note(&mut self, slot: Slot, note: &Note) -> Result<(), DatapathError> {
        Ok(self.notes.set(u32::from(slot), note, 0)?)
    }

    /// A port's counters, summed over all CPUs.
    pub fn stats(&self, slot: Slot) -> Result<PortStats, DatapathError> {
        let mut sum = PortStats::default();
        for cpu in self.stats.get(&u32::from(slot), 0)?.iter() {
            sum.add(cpu);
        }
        Ok(sum)
    }

    /// Sets a port's counters to zero, for a new port in the slot.
    pub fn clear_stats(&mut self, slot: Slot) -> Result<(), DatapathError> {
        let cpus = aya::util::nr_cpus().map_err(|(path, error)| DatapathError::Bpf {
            what: "counting CPUs",
            cause: format!("{path}: {error}"),
        })?;
        let zero = aya::maps::PerCpuValues::try_from(vec![PortStats::default(); cpus])
            .map_err(|error| DatapathError::bpf("access to a BPF map", &error))?;
        Ok(self.stats.set(u32::from(slot), zero, 0)?)
    }
}

fn open<T>(
    switch: &Path,
    name: &'static str,
    typed: impl FnOnce(MapData) -> Result<T, MapError>,
) -> Result<T, DatapathError> {
    let layout = |error: &MapError| match DatapathError::from_map(error) {
        privilege @ DatapathError::Privilege { .. } => privilege,
        other => DatapathError::Layout {
            name: switch.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            map: name,
            cause: other.to_string(),
        },
    };
    let data = MapData::from_pin(switch.join("maps").join(name)).map_err(|error| layout(&error))?;
    typed(data).map_err(|error| layout(&error))
}

impl DatapathError {
    fn from_map(error: &MapError) -> Self {
        Self::bpf("opening a BPF map", error)
    }
}

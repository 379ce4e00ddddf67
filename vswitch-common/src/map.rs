//! Names and capacities of the maps: the only place where they are written.
//!
//! A map name has at most 15 characters (`BPF_OBJ_NAME_LEN`).

/// Array of one [`SwitchConfig`](crate::config::SwitchConfig); written by the controller only.
pub const CONFIG: &str = "CONFIG";
/// Array of one [`SwitchState`](crate::config::SwitchState); written by the program only.
pub const STATE: &str = "STATE";
/// Array slot → [`PortConfig`](crate::port::PortConfig); written by the controller only.
pub const PORTS: &str = "PORTS";
/// Hash interface index → slot.
pub const PORT_INDEX: &str = "PORT_INDEX";
/// Array slot → [`PortLink`](crate::link::PortLink).
pub const PORT_LINKS: &str = "PORT_LINKS";
/// Array slot → [`PortRecord`](crate::record::PortRecord); the controller's memory, never read by the program.
pub const PORT_RECORDS: &str = "PORT_RECORDS";
/// Per-CPU array slot → [`PortStats`](crate::stats::PortStats).
pub const STATS: &str = "STATS";
/// Hash [`FdbKey`](crate::fdb::FdbKey) → [`FdbEntry`](crate::fdb::FdbEntry).
pub const FDB: &str = "FDB";
/// Array: ring of the [`FdbKey`](crate::fdb::FdbKey)s in the FDB, twice as long. Each entry has one place in it; the hand that
/// looks for a free place is what reclaims expired entries.
pub const FDB_RING: &str = "FDB_RING";
/// Array of words: a program that changes the entry of an address holds the one on which the address falls.
pub const FDB_LOCKS: &str = "FDB_LOCKS";
/// Per-CPU array of [`FlowEntry`](crate::flow::FlowEntry); a cache, so it is not pinned.
pub const FLOWS: &str = "FLOWS";
/// Array slot → [`PortVlans`](crate::vlan::PortVlans); written by the controller only.
pub const VLANS: &str = "VLANS";
/// Hash [`TranslateKey`](crate::vlan::TranslateKey) → VLAN identifier; written by the controller only.
pub const VLAN_MAP: &str = "VLAN_MAP";
/// Array slot × 8 + [`MeterKind`](crate::meter::MeterKind) → [`Meter`](crate::meter::Meter).
pub const METERS: &str = "METERS";
/// Array of [`MirrorSession`](crate::mirror::MirrorSession).
pub const MIRRORS: &str = "MIRRORS";
/// Hash [`NeighKey`](crate::neigh::NeighKey) → [`NeighEntry`](crate::neigh::NeighEntry); written by the controller only.
pub const NEIGHS: &str = "NEIGHS";
/// Array of [`AclMask`](crate::acl::AclMask), two banks; written by the controller only.
pub const ACL_MASKS: &str = "ACL_MASKS";
/// Hash [`AclKey`](crate::acl::AclKey) → [`AclRule`](crate::acl::AclRule), two banks; written by the controller only.
pub const ACL_RULES: &str = "ACL_RULES";
/// Per-CPU array of [`AclCount`](crate::acl::AclCount).
pub const ACL_COUNTS: &str = "ACL_COUNTS";
/// Hash bank × 65,536 + place in the list → [`AclSpec`](crate::acl::AclSpec); the controller's memory, never read by the
/// program.
pub const ACL_SPECS: &str = "ACL_SPECS";
/// Hash [`BindingKey`](crate::acl::BindingKey) → 1: addresses bound to ports; written by the controller only.
pub const BINDINGS: &str = "BINDINGS";
/// Per-CPU array of [`AclFlow`](crate::acl::AclFlow); a cache, so it is not pinned.
pub const ACL_FLOWS: &str = "ACL_FLOWS";
/// Array slot → [`Note`](crate::record::Note), what the user wrote about a port; slot 0 is the switch.
pub const NOTES: &str = "NOTES";
/// Per-CPU hash [`PortVlan`](crate::vlan::PortVlan) → [`VlanStats`](crate::vlan::VlanStats); rows are made when counted.
pub const VLAN_STATS: &str = "VLAN_STATS";

/// The maps that are pinned and survive every process.
pub const PINNED: [&str; 22] = [
    CONFIG,
    STATE,
    PORTS,
    PORT_INDEX,
    PORT_LINKS,
    PORT_RECORDS,
    STATS,
    FDB,
    FDB_RING,
    FDB_LOCKS,
    VLANS,
    VLAN_MAP,
    METERS,
    MIRRORS,
    NEIGHS,
    NOTES,
    VLAN_STATS,
    ACL_MASKS,
    ACL_RULES,
    ACL_COUNTS,
    ACL_SPECS,
    BINDINGS,
];

/// Name of the complete switch, attached at tcx ingress of every port.
pub const PROGRAM_TC: &str = "vswitch_tc";
/// Name of the program that tells the controller the kernel's jiffies; it is only ever test-run.
pub const PROGRAM_CLOCK: &str = "vswitch_clock";

/// Name of the program that changes the FDB for the controller; it is only ever test-run, on a
/// [`Request`](crate::request::Request).
pub const PROGRAM_SWEEP: &str = "vswitch_sweep";

/// Name of the program that notices when a port's device goes down, at [`TRACEPOINT`].
pub const PROGRAM_WATCH: &str = "vswitch_watch";
/// The tracepoint that is passed when the queues of a device that goes down are emptied.
pub const TRACEPOINT: &str = "qdisc_reset";
/// Name of the [`DeviceLayout`](crate::link::DeviceLayout) in the watch program, set when it is loaded.
pub const DEVICE_LAYOUT: &str = "DEVICE_LAYOUT";

/// Slots of the port tables of a switch when nothing else is asked for. Slot 0 is no port.
pub const DEFAULT_PORT_SLOTS: u32 = 2048;
/// The most slots that may be asked for.
pub const MAX_PORT_SLOTS: u32 = 16_384;
/// Addresses in the FDB when nothing else is asked for.
pub const DEFAULT_FDB_SIZE: u32 = 32_768;
/// The most addresses that may be asked for.
pub const MAX_FDB_SIZE: u32 = 4_194_304;
/// Slots of the flow verdict cache per CPU; a power of two.
pub const FLOW_SLOTS: u32 = 256;

/// VLAN translations of a switch.
pub const VLAN_MAP_SIZE: u32 = 4096;
/// Rows of counters for a VLAN at a port.
pub const VLAN_STATS_SIZE: u32 = 65_536;
/// Mirror sessions of a switch.
pub const MIRROR_SESSIONS: u32 = 8;
/// Known neighbours of a switch.
pub const NEIGHS_SIZE: u32 = 16_384;

/// Places in the ring for each address of the FDB: at half load, a few tries find a free place.
pub const RING_FACTOR: u32 = 2;
/// Places that the hand looks at for one new address.
pub const RING_TRIES: u32 = 64;
/// Places that it looks at for an address that must get room.
pub const LONG_SEARCH: u32 = 8192;
/// Words of [`FDB_LOCKS`]; a power of two.
pub const LOCKS: u32 = 1024;

/// Addresses for which the FDB has room: each port's own device has one besides those of `fdb_size`.
pub const fn fdb_capacity(fdb_size: u32, port_slots: u32) -> u32 {
    fdb_size + port_slots
}

/// Places of the ring.
pub const fn ring_places(fdb_size: u32, port_slots: u32) -> u32 {
    fdb_capacity(fdb_size, port_slots) * RING_FACTOR
}

const _: () = assert!(FLOW_SLOTS.is_power_of_two() && LOCKS.is_power_of_two());

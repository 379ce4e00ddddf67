//! Names and capacities of the maps: the only place where they are written.
//!
//! A map name has at most 15 characters (`BPF_OBJ_NAME_LEN`).

/// Array of one [`SwitchConfig`](crate::config::SwitchConfig); written by the controller only.
pub const CONFIG: &str = "CONFIG";
/// Array of one [`SwitchState`](crate::config::SwitchState); written by the program only.
pub const STATE: &str = "STATE";
/// Array slot → [`PortConfig`](crate::port::PortConfig); the program writes only `state`, and only to `GONE`.
pub const PORTS: &str = "PORTS";
/// Hash interface index → slot.
pub const PORT_INDEX: &str = "PORT_INDEX";
/// Array slot → [`PortRecord`](crate::record::PortRecord); the controller's memory, never read by the program.
pub const PORT_RECORDS: &str = "PORT_RECORDS";
/// Per-CPU array slot → [`PortStats`](crate::stats::PortStats).
pub const STATS: &str = "STATS";
/// Hash [`FdbKey`](crate::fdb::FdbKey) → [`FdbEntry`](crate::fdb::FdbEntry).
pub const FDB: &str = "FDB";
/// Per-CPU array of [`FlowEntry`](crate::flow::FlowEntry); a cache, so it is not pinned.
pub const FLOWS: &str = "FLOWS";

/// The maps that are pinned and survive every process.
pub const PINNED: [&str; 7] = [CONFIG, STATE, PORTS, PORT_INDEX, PORT_RECORDS, STATS, FDB];

/// Name of the complete switch, attached at tcx ingress of every port.
pub const PROGRAM_TC: &str = "vswitch_tc";
/// Name of the program that tells the controller the kernel's jiffies; it is only ever test-run.
pub const PROGRAM_CLOCK: &str = "vswitch_clock";

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

const _: () = assert!(FLOW_SLOTS.is_power_of_two());

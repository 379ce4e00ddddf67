//! Every map, each behind typed accessors. The capacities here are only minimums: the controller sets the real ones
//! when it loads the object. Mirror: `vswitch/src/datapath/tables.rs`.

use aya_ebpf::{
    bindings::{BPF_EXIST, BPF_F_NO_PREALLOC, BPF_NOEXIST},
    macros::map,
    maps::{Array, HashMap, PerCpuArray, PerCpuHashMap},
};
use vswitch_common::{
    acl::{
        ACL_FLOW_SLOTS, AclCount, AclFlow, AclKey, AclMask, AclRule, AclSpec, BindingKey, COUNT_MASKS_MAX,
    },
    addr::MacAddr,
    config::{SwitchConfig, SwitchState},
    fdb::{FdbEntry, FdbKey, FdbKind},
    flow::FlowEntry,
    link::PortLink,
    map::{FLOW_SLOTS, LOCKS, VLAN_STATS_SIZE},
    meter::{METERS_PER_PORT, Meter},
    mirror::MirrorSession,
    neigh::{NeighEntry, NeighKey},
    port::{PortConfig, Slot},
    record::{Note, PortRecord},
    stats::PortStats,
    vlan::{PortVlan, PortVlans, TranslateKey, VlanStats},
};
use vswitch_ebpf::stage::headers::Packet;

use super::helper;

#[map]
static CONFIG: Array<SwitchConfig> = Array::with_max_entries(1, 0);
#[map]
static STATE: Array<SwitchState> = Array::with_max_entries(1, 0);
#[map]
static PORTS: Array<PortConfig> = Array::with_max_entries(1, 0);
#[map]
static PORT_INDEX: HashMap<u32, u32> = HashMap::with_max_entries(1, 0);
#[map]
static PORT_LINKS: Array<PortLink> = Array::with_max_entries(1, 0);
/// The controller's memory; the program only carries it, so that all of a switch is one object.
#[map]
static PORT_RECORDS: Array<PortRecord> = Array::with_max_entries(1, 0);
#[map]
static STATS: PerCpuArray<PortStats> = PerCpuArray::with_max_entries(1, 0);
#[map]
static FDB: HashMap<FdbKey, FdbEntry> = HashMap::with_max_entries(1, 0);
/// Of [`FdbKey`]s, as words that can be compared and exchanged.
#[map]
static FDB_RING: Array<u64> = Array::with_max_entries(1, 0);
#[map]
static FDB_LOCKS: Array<u64> = Array::with_max_entries(LOCKS, 0);
#[map]
static FLOWS: PerCpuArray<FlowEntry> = PerCpuArray::with_max_entries(FLOW_SLOTS, 0);
#[map]
static VLANS: Array<PortVlans> = Array::with_max_entries(1, 0);
#[map]
static VLAN_MAP: HashMap<TranslateKey, u16> = HashMap::with_max_entries(1, 0);
#[map]
static METERS: Array<Meter> = Array::with_max_entries(1, 0);
#[map]
static MIRRORS: Array<MirrorSession> = Array::with_max_entries(1, 0);
/// Without preallocation: only the controller adds to it.
#[map]
static NEIGHS: HashMap<NeighKey, NeighEntry> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
/// Without preallocation: few VLANs of all that there may be are in use.
#[map]
static VLAN_STATS: PerCpuHashMap<PortVlan, VlanStats> =
    PerCpuHashMap::with_max_entries(VLAN_STATS_SIZE, BPF_F_NO_PREALLOC);
#[map]
static ACL_MASKS: Array<AclMask> = Array::with_max_entries(1, 0);
#[map]
static ACL_RULES: HashMap<AclKey, AclRule> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
static ACL_COUNTS: PerCpuArray<AclCount> = PerCpuArray::with_max_entries(1, 0);
#[map]
static ACL_FLOWS: PerCpuArray<AclFlow> = PerCpuArray::with_max_entries(ACL_FLOW_SLOTS, 0);
#[map]
static ACL_SCRATCH: PerCpuArray<AclScratch> = PerCpuArray::with_max_entries(1, 0);
/// As `PORT_RECORDS`.
#[map]
static ACL_SPECS: HashMap<u32, AclSpec> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
#[map]
static BINDINGS: HashMap<BindingKey, u32> = HashMap::with_max_entries(1, BPF_F_NO_PREALLOC);
/// As `PORT_RECORDS`.
#[map]
static NOTES: Array<Note> = Array::with_max_entries(1, 0);

// SAFETY of all accessors: a map value is never freed while a program runs (RCU), and every bit pattern of these types
// is valid. Values may change under a reader; each field is read once, and no decision needs two to be consistent.

/// The controller's wishes.
#[inline(always)]
pub fn config() -> Option<&'static SwitchConfig> {
    CONFIG.get(0)
}

/// The program's own notes.
#[inline(always)]
pub fn state() -> Option<&'static mut SwitchState> {
    // SAFETY: see above.
    STATE.get_ptr_mut(0).map(|value| unsafe { &mut *value })
}

/// The row of a port.
#[inline(always)]
pub fn port(slot: u32) -> Option<&'static PortConfig> {
    PORTS.get(slot)
}

/// The row of a port, and whether its device is up.
#[inline(always)]
pub fn rows(slot: Slot) -> Option<(&'static PortConfig, &'static PortLink)> {
    Some((port(u32::from(slot))?, link(u32::from(slot))?))
}

/// The slot of the port with this device.
#[inline(always)]
pub fn slot_of(ifindex: u32) -> Option<Slot> {
    // SAFETY: see above.
    unsafe { PORT_INDEX.get(ifindex) }.map(|slot| *slot as Slot)
}

/// Whether the device of a port is up.
#[inline(always)]
pub fn link(slot: u32) -> Option<&'static PortLink> {
    PORT_LINKS.get(slot)
}

/// The same, to note that it has changed.
#[inline(always)]
pub fn link_mut(slot: u32) -> Option<&'static mut PortLink> {
    // SAFETY: see above.
    PORT_LINKS.get_ptr_mut(slot).map(|value| unsafe { &mut *value })
}

/// This CPU's counters of a port.
#[inline(always)]
pub fn stats(slot: Slot) -> Option<&'static mut PortStats> {
    // SAFETY: see above; a CPU runs one program of this switch at a time (softirq, not re-entered).
    STATS.get_ptr_mut(u32::from(slot)).map(|value| unsafe { &mut *value })
}

/// The entry of an address.
#[inline(always)]
pub fn fdb_get(key: FdbKey) -> Option<&'static mut FdbEntry> {
    // SAFETY: see above.
    FDB.get_ptr_mut(key).map(|value| unsafe { &mut *value })
}

/// The entry of an address, if it is a port device's own: those are in no VLAN.
#[inline(always)]
pub fn fdb_local(mac: MacAddr) -> Option<&'static mut FdbEntry> {
    fdb_get(FdbKey::new(mac, 0)).filter(|entry| matches!(entry.kind(), FdbKind::Local))
}

/// Adds or replaces the entry of an address; `false` if the table is full.
#[inline(always)]
pub fn fdb_put(key: FdbKey, entry: &FdbEntry) -> bool {
    FDB.insert(key, entry, 0).is_ok()
}

/// Replaces the entry of an address; `false` if there is none any more.
#[inline(always)]
pub fn fdb_replace(key: FdbKey, entry: &FdbEntry) -> bool {
    FDB.insert(key, entry, u64::from(BPF_EXIST)).is_ok()
}

/// Removes an address; `false` if there is none any more.
#[inline(always)]
pub fn fdb_remove(key: FdbKey) -> bool {
    FDB.remove(key).is_ok()
}

/// Takes the lock of an address, if it is free: until it is given back nobody else changes its entry.
#[inline(always)]
pub fn lock(key: FdbKey) -> bool {
    try_lock(key, 4)
}

/// The same for the controller, which can wait.
#[inline(always)]
pub fn lock_patiently(key: FdbKey) -> bool {
    try_lock(key, 64)
}

#[inline(always)]
fn try_lock(key: FdbKey, tries: u32) -> bool {
    let Some(word) = lock_of(key) else { return false };
    for _ in 0..tries {
        if helper::compare_exchange(word, 0, 1) == 0 {
            return true;
        }
    }
    false
}

/// Gives the lock back.
#[inline(always)]
pub fn unlock(key: FdbKey) {
    if let Some(word) = lock_of(key) {
        helper::fetch_add(word, u64::MAX);
    }
}

#[inline(always)]
fn lock_of(key: FdbKey) -> Option<&'static mut u64> {
    let mixed = (key.to_bits() ^ key.to_bits() >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    // SAFETY: see above.
    FDB_LOCKS.get_ptr_mut((mixed >> 40) as u32 & (LOCKS - 1)).map(|value| unsafe { &mut *value })
}

/// A place in the ring: the address that it holds, as a word, or 0.
#[inline(always)]
pub fn ring(place: u32) -> Option<&'static mut u64> {
    // SAFETY: see above.
    FDB_RING.get_ptr_mut(place).map(|value| unsafe { &mut *value })
}

/// This CPU's cached verdict for a flow's slot.
#[inline(always)]
pub fn flow(index: u32) -> Option<&'static mut FlowEntry> {
    // SAFETY: as for `stats`.
    FLOWS.get_ptr_mut(index).map(|value| unsafe { &mut *value })
}

/// The VLANs of a port.
#[inline(always)]
pub fn vlans(slot: Slot) -> Option<&'static PortVlans> {
    VLANS.get(u32::from(slot))
}

/// What a VLAN is called on the other side of a port, if it has another name there.
#[inline(always)]
pub fn translated(key: TranslateKey) -> Option<u16> {
    // SAFETY: see above.
    unsafe { VLAN_MAP.get(key) }.copied()
}

/// This CPU's counters of a VLAN at a port; `None` if there is no room for more.
#[inline(always)]
pub fn vlan_stats(key: PortVlan) -> Option<&'static mut VlanStats> {
    let found = VLAN_STATS.get_ptr_mut(key).or_else(|| {
        // Another CPU may have made it meanwhile.
        let _made = VLAN_STATS.insert(key, VlanStats::default(), u64::from(BPF_NOEXIST));
        VLAN_STATS.get_ptr_mut(key)
    });
    // SAFETY: as for `stats`.
    found.map(|value| unsafe { &mut *value })
}

/// A meter of a port, by the number of its kind.
#[inline(always)]
pub fn meter(slot: u32, kind: u32) -> Option<&'static mut Meter> {
    let index = slot * METERS_PER_PORT + kind;
    // SAFETY: see above.
    METERS.get_ptr_mut(index).map(|value| unsafe { &mut *value })
}

/// A mirror session.
#[inline(always)]
pub fn mirror(index: u32) -> Option<&'static MirrorSession> {
    MIRRORS.get(index)
}

/// Who has a network address.
#[inline(always)]
pub fn neigh(key: &NeighKey) -> Option<&'static NeighEntry> {
    // SAFETY: see above.
    unsafe { NEIGHS.get(key) }
}

/// What a check of rules needs room for that the stack does not have.
#[repr(C)]
pub struct AclScratch {
    /// The frame.
    pub key: AclKey,
    /// Where reading it stands.
    pub packet: Packet,
    /// What a mask leaves of it.
    pub masked: AclKey,
    /// The rules that only count ([`super::acl::Found`]).
    pub found: [u64; COUNT_MASKS_MAX],
    /// How many of them there are.
    pub count: u32,
    /// The rules that are to be told about.
    pub tell: [u16; TOLD],
    /// How many of them there are.
    pub told: u32,
    /// The rank of the rule that decides.
    pub rank: u32,
    /// Length of the frame.
    pub length: u32,
}

/// More than the rules that one frame can match; a power of two.
pub const TOLD: usize = 2 * COUNT_MASKS_MAX;

/// This CPU's scratch row.
#[inline(always)]
pub fn acl_scratch() -> Option<&'static mut AclScratch> {
    // SAFETY: as for `stats`.
    ACL_SCRATCH.get_ptr_mut(0).map(|value| unsafe { &mut *value })
}

/// A mask of the rules.
#[inline(always)]
pub fn acl_mask(row: u32) -> Option<&'static AclMask> {
    ACL_MASKS.get(row)
}

/// The best rule with these masked bits.
#[inline(always)]
pub fn acl_rule(key: &AclKey) -> Option<&'static AclRule> {
    // SAFETY: see above.
    unsafe { ACL_RULES.get(key) }
}

/// This CPU's counters of a rule.
#[inline(always)]
pub fn acl_count(counter: u16) -> Option<&'static mut AclCount> {
    // SAFETY: as for `stats`.
    ACL_COUNTS.get_ptr_mut(u32::from(counter)).map(|value| unsafe { &mut *value })
}

/// What this CPU found for frames that fall into a slot.
#[inline(always)]
pub fn acl_flow(index: u32) -> Option<&'static mut AclFlow> {
    // SAFETY: as for `stats`.
    ACL_FLOWS.get_ptr_mut(index).map(|value| unsafe { &mut *value })
}

/// Whether an address is bound to a port.
#[inline(always)]
pub fn is_bound(key: &BindingKey) -> bool {
    BINDINGS.get_ptr(key).is_some()
}

/// Keeps the maps that no code path reads in the object.
#[inline(always)]
pub fn carry() {
    core::hint::black_box(&PORT_RECORDS);
    core::hint::black_box(&NOTES);
    core::hint::black_box(&ACL_SPECS);
}

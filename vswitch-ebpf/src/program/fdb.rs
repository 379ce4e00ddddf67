//! Changes of the FDB that frames bring about.

use vswitch_common::{
    config::SwitchConfig,
    fdb::{FdbEntry, FdbKey, FdbKind},
    map::{RING_FACTOR, RING_TRIES},
};
use vswitch_ebpf::stage::learn::{Behind, Learn, learn, learned};

use super::{helper, journal, skb::Skb, tables};

/// Carries out what [`learn`] decides about the source of a frame.
#[inline(always)]
pub fn learn_source(
    skb: &Skb,
    key: FdbKey,
    entry: Option<&mut FdbEntry>,
    behind: Behind,
    now: u64,
    config: &SwitchConfig,
) {
    // What does not count any more stands in nobody's way. Asked only for an address of another port.
    let is_void = match entry.as_deref() {
        Some(entry) if !behind.holds(entry) => !is_live(entry, now, config),
        Some(_) | None => false,
    };
    // What its port forgot is learned anew, whatever it was.
    let is_forgotten =
        |entry: &FdbEntry| !behind.remembers(entry) || entry.is_expired(now, config.ageing_jiffies);
    match (learn(entry.as_deref(), is_void, behind, now, config.cache_shift), entry) {
        (Learn::Keep, _) => {}
        (Learn::Refresh, Some(entry)) if !is_forgotten(entry) => {
            entry.stamp = now;
        }
        (Learn::Refresh, Some(entry)) if matches!(entry.kind(), FdbKind::Dynamic) => {
            // It has its place in the ring. It was flooded to, and floods are not cached: no verdict depends on this.
            entry.stamp = now;
            entry.epoch = behind.epoch;
            journal::learned(skb, key.mac(), behind.slot, config);
        }
        (Learn::Insert, _) if is_device(key) => {}
        (Learn::Refresh, _) | (Learn::Move, None) | (Learn::Insert, _) => {
            insert(key, &learned(behind, now), now, config);
            journal::learned(skb, key.mac(), behind.slot, config);
        }
        (Learn::Move, Some(entry)) => {
            let from = entry.slot;
            // Not in place: on another CPU the entry may have been removed, and its memory may be another address's now.
            if tables::fdb_replace(key, &learned(behind, now)) {
                void_verdicts();
            }
            journal::moved(skb, key.mac(), from, behind.slot, config);
        }
    }
}

/// Whether the address is that of a port's own device, which has its entry in VLAN 0 only, and is nobody else's in any.
#[inline(always)]
fn is_device(key: FdbKey) -> bool {
    if key.vlan() == 0 {
        return false;
    }
    matches!(tables::fdb_get(FdbKey::new(key.mac(), 0)), Some(entry) if matches!(entry.kind(), FdbKind::Local))
}

/// Makes every cached verdict void. The change that calls for it must be visible before.
#[inline(always)]
pub fn void_verdicts() {
    if let Some(state) = tables::state() {
        helper::fetch_add(&mut state.generation, 1);
    }
}

/// Adds a learned address. Each has a place of its own in the ring; looking for a free one is what reclaims the entries
/// that have expired, so ageing needs no process, no timer and no walk over the table.
#[inline(always)]
fn insert(key: FdbKey, entry: &FdbEntry, now: u64, config: &SwitchConfig) {
    let Some(state) = tables::state() else { return };
    let places = u64::from(config.fdb_size) * u64::from(RING_FACTOR);
    if places == 0 {
        return;
    }
    for _ in 0..RING_TRIES {
        let place = helper::fetch_add(&mut state.hand, 1) % places;
        let Some(held) = tables::ring(place as u32) else {
            return;
        };
        if !free(*held, now, config) {
            continue;
        }
        *held = key;
        if tables::fdb_put(key, entry) {
            return;
        }
        // Full, though this place was free: look for one whose entry has expired.
        *held = FdbKey::new(vswitch_common::addr::MacAddr::ZERO, 0);
    }
    state.fdb_full += 1;
}

/// Whether a place in the ring can be taken; removes the expired entry that it stands for.
#[inline(always)]
fn free(held: FdbKey, now: u64, config: &SwitchConfig) -> bool {
    if held.to_bits() == 0 {
        return true;
    }
    let Some(entry) = tables::fdb_get(held) else {
        return true;
    };
    if !entry.kind().ages() {
        // The user took the address over: it needs no place in the ring.
        return true;
    }
    if is_live(entry, now, config) {
        return false;
    }
    tables::fdb_remove(held);
    true
}

/// Whether an entry counts: not expired, and its port exists and remembers it.
#[inline(always)]
fn is_live(entry: &FdbEntry, now: u64, config: &SwitchConfig) -> bool {
    match tables::rows(entry.slot) {
        Some((port, link)) => entry.is_alive(port, link) && !entry.is_expired(now, config.ageing_jiffies),
        None => false,
    }
}

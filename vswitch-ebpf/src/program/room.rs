//! Room in the FDB: who has how much of it, and whose entry makes way.
//!
//! Three counters are kept: the learned addresses of each port (of its present epoch), all learned addresses, and all that
//! were added. Each change of an entry changes them under the lock of its address, so they never drift. The addresses of
//! the ports' own devices have room besides.

use vswitch_common::{
    config::{SwitchConfig, SwitchState},
    fdb::{FdbEntry, FdbKey, FdbKind},
    link::{PortLink, count_of, epoch_of},
    map::{LONG_SEARCH, RING_TRIES, ring_places},
    port::{PortConfig, Slot},
};
use vswitch_ebpf::stage::learn::{has_borrowed, may_take_back};

use super::{fdb, helper, tables};

/// No place of the ring.
pub const NOWHERE: u32 = u32::MAX;
/// The place has an entry, which must make way.
const TAKEN: u32 = 1 << 31;
/// How far to look for something expired after something borrowed was found.
const FURTHER: u32 = 32;

/// Places of a ring that is small: no part of it that is in use is long.
const SMALL: u32 = 4096;

/// What is done, or what must be searched for before it can be: the word that [`find`] takes.
pub const DONE: u32 = 0;
/// A free place of the ring.
pub const PLACE: u32 = 1;
/// Something of the same port that counts no more.
pub const ROOM_OF_PORT: u32 = 2;
/// Something that counts no more.
pub const ROOM: u32 = 3;
/// The same, or something that another port has borrowed.
pub const ROOM_OF_RICH: u32 = 4;

/// What the search carries from place to place.
struct Search {
    places: u32,
    /// Where the hand is, and how far it goes in a step.
    at: u32,
    step: u32,
    wanted: u32,
    /// Who looks.
    slot: u32,
    /// What was found.
    found: u32,
    /// The place of an entry that is borrowed, and when it was found.
    borrowed: u32,
    borrowed_at: u32,
    now: u64,
}

/// Adds an address with the lock of it held. `place` is one that [`find`] gave; returns what must be found first, or
/// [`DONE`].
#[inline(always)]
pub fn insert(
    key: FdbKey,
    new: &mut FdbEntry,
    port: &PortConfig,
    link: &mut PortLink,
    place: u32,
    config: &SwitchConfig,
) -> u32 {
    let Some(state) = tables::state() else { return ROOM };
    let is_learned = matches!(new.kind(), FdbKind::Dynamic);
    let is_own = new.is_own();
    new.place = place;
    if is_learned && !enter(new, port, link) {
        return ROOM_OF_PORT;
    }
    let needed = if !is_own && !take(is_learned, state, config) {
        // What is added may take what any port has borrowed.
        let is_poor = !is_learned || may_take_back(link.count().wrapping_sub(1), config.fdb_share);
        if is_poor { ROOM_OF_RICH } else { ROOM }
    } else {
        if place != NOWHERE && claim_free(place, key) {
            if tables::fdb_put(key, new) {
                return DONE;
            }
            claim(place, key.to_bits(), 0);
        }
        if !is_own {
            give_back(is_learned, state);
        }
        PLACE
    };
    if is_learned {
        leave(new.slot, new.epoch);
    }
    needed
}

/// Puts a word in a place that still holds `before`.
#[inline(always)]
fn claim(place: u32, before: u64, word: u64) -> bool {
    match tables::ring(place) {
        Some(held) => helper::compare_exchange(held, before, word) == before,
        None => false,
    }
}

/// Puts an address in a place that holds nothing, or an address that has another place now.
#[inline(always)]
fn claim_free(place: u32, key: FdbKey) -> bool {
    let Some(held) = tables::ring(place) else { return false };
    let before = *held;
    if before != 0
        && let Some(entry) = tables::fdb_get(FdbKey::from_bits(before))
        && entry.place == place
    {
        return false;
    }
    claim(place, before, key.to_bits())
}

/// Replaces an entry with the lock of its address held; `false` if the port has as many addresses as it may.
#[inline(always)]
pub fn replace(
    key: FdbKey,
    entry: &FdbEntry,
    new: &mut FdbEntry,
    port: &PortConfig,
    link: &mut PortLink,
) -> bool {
    let Some(state) = tables::state() else { return false };
    // The old entry's memory is another address's as soon as it is replaced.
    let (slot, epoch, was_own) = (entry.slot, entry.epoch, entry.is_own());
    let was_learned = matches!(entry.kind(), FdbKind::Dynamic);
    let is_learned = matches!(new.kind(), FdbKind::Dynamic);
    let is_own = new.is_own();
    let stays = was_learned && is_learned && slot == new.slot && epoch == epoch_of(link.macs);
    new.place = entry.place;
    if stays {
        new.epoch = epoch;
    } else if is_learned && !enter(new, port, link) {
        return false;
    }
    if !tables::fdb_replace(key, new) {
        if is_learned && !stays {
            leave(new.slot, new.epoch);
        }
        return false;
    }
    if was_learned && !stays {
        leave(slot, epoch);
    }
    if !was_own {
        give_back(was_learned, state);
    }
    if !is_own {
        helper::fetch_add(counter(is_learned, state), 1);
    }
    true
}

/// Removes an entry with the lock of its address held.
#[inline(always)]
pub fn remove(key: FdbKey, entry: &FdbEntry) {
    let Some(state) = tables::state() else { return };
    let (slot, epoch, place, was_own) = (entry.slot, entry.epoch, entry.place, entry.is_own());
    let was_learned = matches!(entry.kind(), FdbKind::Dynamic);
    if !tables::fdb_remove(key) {
        return;
    }
    claim(place, key.to_bits(), 0);
    if was_learned {
        leave(slot, epoch);
    }
    if !was_own {
        give_back(was_learned, state);
    }
}

/// Counts one more learned address behind a port; `false` if it has as many as it may. The entry becomes one of the epoch in
/// which it is counted.
#[inline(always)]
fn enter(new: &mut FdbEntry, port: &PortConfig, link: &mut PortLink) -> bool {
    let before = helper::fetch_add(&mut link.macs, 1);
    new.epoch = epoch_of(before);
    if port.max_macs != 0 && count_of(before) >= u64::from(port.max_macs) {
        leave(new.slot, new.epoch);
        return false;
    }
    true
}

/// Counts one less, if the port's device did not go down since: then nothing of before is counted any more.
#[inline(always)]
fn leave(slot: Slot, epoch: u16) {
    let Some(link) = tables::link_mut(u32::from(slot)) else { return };
    if epoch_of(link.macs) != epoch {
        return;
    }
    if epoch_of(helper::fetch_add(&mut link.macs, u64::MAX)) != epoch {
        helper::fetch_add(&mut link.macs, 1);
    }
}

/// The counter of learned or of added entries.
#[inline(always)]
fn counter(is_learned: bool, state: &mut SwitchState) -> &mut u64 {
    if is_learned { &mut state.learned } else { &mut state.added }
}

/// Takes room in the table; `false` if there is none.
#[inline(always)]
fn take(is_learned: bool, state: &mut SwitchState, config: &SwitchConfig) -> bool {
    helper::fetch_add(counter(is_learned, state), 1);
    if state.learned.wrapping_add(state.added) <= u64::from(config.fdb_size) {
        return true;
    }
    give_back(is_learned, state);
    false
}

#[inline(always)]
fn give_back(was_learned: bool, state: &mut SwitchState) {
    helper::fetch_add(counter(was_learned, state), u64::MAX);
}

/// Finds what is wanted, and makes it free: a place, or [`NOWHERE`].
#[inline(always)]
pub fn find(slot: u32, wanted: u32, now: u64) -> u32 {
    let found = vswitch_search(slot, wanted, now);
    if found == NOWHERE || found & TAKEN == 0 { found } else { vswitch_vacate(found & !TAKEN, wanted, now) }
}

/// Moves a hand over the ring until it comes to what is wanted; gives the place, with [`TAKEN`] if an entry must make way,
/// or [`NOWHERE`]. So what can never count again is taken away when its room is needed, and ageing needs no process, no
/// timer and no walk over the table. A long search that finds nothing is made once in a tick at most.
///
/// The hand begins anywhere, so that the places in use lie scattered: side by side they would be far away for a hand that
/// is elsewhere. Its steps are of any length as well, unless it is to come to each place.
///
/// A function of its own for the verifier, which looks at it once and not at each call; so it has numbers only.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn vswitch_search(slot: u32, wanted: u32, now: u64) -> u32 {
    let (Some(config), Some(state)) = (tables::config(), tables::state()) else { return NOWHERE };
    let may_be_long = wanted == ROOM_OF_PORT || wanted == ROOM_OF_RICH;
    let is_long = may_be_long && state.searched != now;
    let places = ring_places(config.fdb_size, config.port_slots);
    if places == 0 {
        return NOWHERE;
    }
    let mut search = Search {
        places,
        at: helper::random() % places,
        step: if is_long || places < SMALL { 1 } else { 1 + helper::random() % (places - 1) },
        wanted,
        slot,
        found: NOWHERE,
        borrowed: NOWHERE,
        borrowed_at: 0,
        now,
    };
    helper::repeat(if is_long { LONG_SEARCH } else { RING_TRIES }, look, &mut search);
    if search.found != NOWHERE {
        return search.found;
    }
    if search.borrowed != NOWHERE {
        return search.borrowed | TAKEN;
    }
    if is_long {
        state.searched = now;
    }
    NOWHERE
}

unsafe extern "C" fn look(index: u64, search: *mut Search) -> i64 {
    // SAFETY: `search` passes a live `Search`, and the loop calls this function on one CPU, one step after the other.
    let search = unsafe { &mut *search };
    let Some(config) = tables::config() else { return 1 };
    let place = search.at;
    let next = place + search.step;
    search.at = if next >= search.places { next - search.places } else { next };
    let Some(entry) = entry_of(place) else {
        // Free; but what wants room in a full table needs somebody else's.
        if search.wanted == PLACE {
            search.found = place;
        }
        return i64::from(search.wanted == PLACE);
    };
    let Some((port, link)) = tables::rows(entry.slot) else { return 1 };
    if entry.is_void(port, link, search.now, config.ageing_jiffies) {
        let is_of_port = u32::from(entry.slot) == search.slot
            && entry.epoch == epoch_of(link.macs)
            && matches!(entry.kind(), FdbKind::Dynamic);
        if search.wanted != ROOM_OF_PORT || is_of_port {
            search.found = place | TAKEN;
            return 1;
        }
        return 0;
    }
    if search.wanted == ROOM_OF_RICH
        && search.borrowed == NOWHERE
        && matches!(entry.kind(), FdbKind::Dynamic)
        && has_borrowed(link.count(), config.fdb_share)
        && u32::from(entry.slot) != search.slot
    {
        search.borrowed = place;
        search.borrowed_at = index as u32;
    }
    i64::from(search.borrowed != NOWHERE && index as u32 - search.borrowed_at >= FURTHER)
}

/// Removes the entry of a place, if it still is one that must make way; gives the place, or [`NOWHERE`].
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn vswitch_vacate(place: u32, wanted: u32, now: u64) -> u32 {
    let (Some(held), Some(config)) = (tables::ring(place), tables::config()) else { return NOWHERE };
    let key = FdbKey::from_bits(*held);
    if !tables::lock(key) {
        return NOWHERE;
    }
    let mut is_gone = false;
    if let Some(entry) = tables::fdb_get(key)
        && entry.place == place
        && let Some((port, link)) = tables::rows(entry.slot)
    {
        let is_void = entry.is_void(port, link, now, config.ageing_jiffies);
        let is_borrowed = wanted == ROOM_OF_RICH
            && matches!(entry.kind(), FdbKind::Dynamic)
            && has_borrowed(link.count(), config.fdb_share);
        if is_void || is_borrowed {
            remove(key, entry);
            is_gone = true;
        }
        if is_borrowed {
            fdb::void_verdicts();
        }
    }
    tables::unlock(key);
    if is_gone { place } else { NOWHERE }
}

/// The entry that has a place in the ring; `None` if the place is free.
#[inline(always)]
fn entry_of(place: u32) -> Option<&'static mut FdbEntry> {
    let key = *tables::ring(place)?;
    if key == 0 {
        return None;
    }
    tables::fdb_get(FdbKey::from_bits(key)).filter(|entry| entry.place == place)
}

/// Removes the entry of one place of the ring if `wanted` says so.
#[inline(always)]
pub fn remove_if(place: u32, wanted: impl Fn(FdbKey, &FdbEntry) -> bool) -> bool {
    let Some(held) = tables::ring(place) else { return false };
    let key = FdbKey::from_bits(*held);
    if key.to_bits() == 0 {
        return false;
    }
    // Looked at before the lock is taken: most are not wanted.
    match tables::fdb_get(key) {
        Some(entry) if entry.place == place && wanted(key, entry) => {}
        _ => return false,
    }
    if !tables::lock_patiently(key) {
        return false;
    }
    let mut is_gone = false;
    if let Some(entry) = tables::fdb_get(key)
        && entry.place == place
        && wanted(key, entry)
    {
        remove(key, entry);
        is_gone = true;
    }
    tables::unlock(key);
    is_gone
}

/// What the rows of a slot say about an entry that points at it.
#[inline(always)]
pub fn is_void(entry: &FdbEntry, now: u64) -> bool {
    match (tables::rows(entry.slot), tables::config()) {
        (Some((port, link)), Some(config)) => entry.is_void(port, link, now, config.ageing_jiffies),
        _ => true,
    }
}

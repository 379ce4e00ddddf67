//! Changes of the FDB that frames bring about.
//!
//! A change holds the lock of its address from the look at the entry until the counters are right again. Nobody waits for
//! a lock in vain: who does not get it lets the frame pass, and the next one teaches.

use vswitch_common::{
    config::SwitchConfig,
    drop::DropReason,
    fdb::{FdbEntry, FdbKey, FdbKind, entry_flag},
    link::{PortLink, ShutReason},
    port::{PortConfig, Slot},
};
use vswitch_ebpf::stage::{
    guard::{Judgement, Tally, begins, judge},
    learn::{Behind, Learn, learn, learned},
};

use super::{guard, helper, journal, room, skb::Skb, tables};

/// What has become of the source of a frame, and in the low half the port where the address was.
const NOTHING: u32 = 0;
const LEARNED: u32 = 1 << 16;
const MOVED: u32 = 2 << 16;
const HELD: u32 = 3 << 16;
const SHUT: u32 = 4 << 16;
const LOOPED: u32 = 5 << 16;
/// Nothing yet: what is in the low half must be searched for before.
const NEEDED: u32 = 6 << 16;
const WHAT: u32 = 0xff << 16;
/// The move begins an excess.
const EXCESS: u32 = 1 << 24;

/// Beside the slot: the source is one that a locked port does not know.
const STRANGER: u32 = 1 << 16;
/// Beside the slot: what was needed has been searched for.
const SEARCHED: u32 = 1 << 17;
/// Beside the slot: it has been searched for twice.
const LAST: u32 = 1 << 18;

/// Carries out what [`learn`] decides about the source of a frame; an error if a guard objects.
#[inline(always)]
pub fn learn_source(
    skb: &Skb,
    key: FdbKey,
    entry: Option<&mut FdbEntry>,
    behind: Behind,
    now: u64,
    config: &SwitchConfig,
) -> Result<(), DropReason> {
    // What does not count any more stands in nobody's way. Asked only for an address of another port.
    let is_void = match entry.as_deref() {
        Some(entry) if !behind.holds(entry) => !is_live(entry, now, config),
        Some(_) | None => false,
    };
    // What its port forgot is learned anew, whatever it was.
    let is_forgotten =
        |entry: &FdbEntry| !behind.remembers(entry) || entry.is_expired(now, config.ageing_jiffies);
    match (learn(entry.as_deref(), is_void, behind, now, config.cache_shift), entry) {
        (Learn::Keep, _) => return Ok(()),
        (Learn::Refresh, Some(entry)) if !is_forgotten(entry) => {
            entry.stamp = now;
            return Ok(());
        }
        (Learn::Refresh | Learn::Insert | Learn::Move, _) => {}
    }
    teach(skb, key, u32::from(behind.slot), now)
}

/// Notes a source that a locked port does not know (`mab`).
#[inline(always)]
pub fn note_locked(skb: &Skb, key: FdbKey, slot: Slot, now: u64) {
    // The frame is dropped anyway.
    let _ = teach(skb, key, u32::from(slot) | STRANGER, now);
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

/// The rare part, out of line.
#[inline(never)]
fn teach(skb: &Skb, key: FdbKey, slot: u32, now: u64) -> Result<(), DropReason> {
    let mut told = vswitch_teach(key.to_bits(), slot, now, room::NOWHERE);
    if told & WHAT == NEEDED {
        let place = room::find(slot & 0xffff, told & 0xffff, now);
        told = vswitch_teach(key.to_bits(), slot | SEARCHED, now, place);
        if told & WHAT == NEEDED {
            // There was a place, but no room.
            let place = room::find(slot & 0xffff, told & 0xffff, now);
            told = vswitch_teach(key.to_bits(), slot | SEARCHED | LAST, now, place);
        }
    }
    let Some(config) = tables::config() else { return Ok(()) };
    let (from, to) = (told as Slot, slot as Slot);
    if told & EXCESS != 0 {
        journal::flapping(skb, key.mac(), from, to, config);
    }
    match told & WHAT {
        LEARNED => journal::learned(skb, key.mac(), to, config),
        MOVED => journal::moved(skb, key.mac(), from, to, config),
        HELD => return Err(DropReason::Held),
        SHUT => {
            guard::shut(skb, slot & 0xffff, ShutReason::Moves as u32, now);
            return Err(DropReason::Shut);
        }
        LOOPED => {
            guard::shut(skb, slot & 0xffff, ShutReason::Loop as u32, now);
            return Err(DropReason::Shut);
        }
        _ => {}
    }
    Ok(())
}

/// Decides about the source once more, now that nobody else changes the entry, and does it.
///
/// A function of its own for the verifier, which looks at it once and not at each call; so it has numbers only.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn vswitch_teach(key: u64, slot: u32, now: u64, place: u32) -> u32 {
    let key = FdbKey::from_bits(key);
    let (Some(config), Some(port), Some(link)) =
        (tables::config(), tables::port(slot & 0xffff), tables::link_mut(slot & 0xffff))
    else {
        return NOTHING;
    };
    if !tables::lock(key) {
        return NOTHING;
    }
    let told = change(key, slot, port, link, now, place, config);
    tables::unlock(key);
    told
}

/// What the source of a frame changes, with the lock held.
#[inline(always)]
fn change(
    key: FdbKey,
    slot: u32,
    port: &PortConfig,
    link: &mut PortLink,
    now: u64,
    place: u32,
    config: &SwitchConfig,
) -> u32 {
    let behind = Behind::port(slot as Slot, port, link);
    let is_stranger = slot & STRANGER != 0;
    let mut new = learned(behind, now);
    if is_stranger {
        new.flags = entry_flag::LOCKED;
    }
    let Some(entry) = tables::fdb_get(key) else {
        if is_device(key) {
            return NOTHING;
        }
        let needed = room::insert(key, &mut new, port, link, place, config);
        if needed == room::DONE {
            return LEARNED;
        }
        let has_helped = place != room::NOWHERE && needed != room::PLACE;
        if slot & SEARCHED == 0 || slot & LAST == 0 && has_helped {
            return NEEDED | needed;
        }
        return refused(needed == room::ROOM_OF_PORT);
    };
    let is_void = !is_live(entry, now, config);
    if is_stranger {
        if is_void && !matches!(entry.kind(), FdbKind::Local) {
            return put(key, slot, entry, &mut new, port, link, LEARNED);
        }
        // Known elsewhere, where it stays, or noted before.
        if behind.holds(entry) && entry.is_locked() {
            entry.stamp = now;
        }
        return NOTHING;
    }
    match learn(Some(entry), is_void && !behind.holds(entry), behind, now, config.cache_shift) {
        Learn::Keep | Learn::Insert => NOTHING,
        Learn::Refresh if !is_void => {
            entry.stamp = now;
            NOTHING
        }
        Learn::Refresh => {
            // What its port forgot is learned anew, whatever it was. It was flooded to, and floods are not cached: no verdict
            // depends on this.
            put(key, slot, entry, &mut new, port, link, LEARNED)
        }
        Learn::Move => {
            let from = u32::from(entry.slot);
            let judged = if is_void { NOTHING } else { judged(entry, &mut new, port, link, now, config) };
            if judged & WHAT != NOTHING {
                return from | judged;
            }
            let told = put(key, slot, entry, &mut new, port, link, MOVED | from | judged);
            if told & WHAT == MOVED {
                void_verdicts();
            }
            told
        }
    }
}

/// Replaces an entry, and tells so.
#[inline(always)]
fn put(
    key: FdbKey,
    slot: u32,
    entry: &FdbEntry,
    new: &mut FdbEntry,
    port: &PortConfig,
    link: &mut PortLink,
    told: u32,
) -> u32 {
    if room::replace(key, entry, new, port, link) { told } else { no_room(slot) }
}

/// The port has as many addresses as it may; some of them may count no more.
#[inline(always)]
fn no_room(slot: u32) -> u32 {
    if slot & SEARCHED == 0 { NEEDED | room::ROOM_OF_PORT } else { refused(true) }
}

/// Counts an address that is not learned, and why.
#[inline(always)]
fn refused(is_limited: bool) -> u32 {
    if let Some(state) = tables::state() {
        helper::fetch_add(if is_limited { &mut state.fdb_limited } else { &mut state.fdb_full }, 1);
    }
    NOTHING
}

/// Counts a move, and asks the guards of the port about it: [`NOTHING`] if the address may move.
#[inline(always)]
fn judged(
    entry: &mut FdbEntry,
    new: &mut FdbEntry,
    port: &PortConfig,
    link: &mut PortLink,
    now: u64,
    config: &SwitchConfig,
) -> u32 {
    let of_address = Tally { since: entry.moved_at, moves: u64::from(entry.moves) };
    let of_address = of_address.one_more(now as u32, config.hz);
    let to_port =
        Tally { since: link.moved_at, moves: u64::from(link.moves) }.one_more(now as u32, config.hz);
    // Other CPUs may count at the same moment; a rate need not be exact.
    link.moved_at = to_port.since;
    link.moves = to_port.moves as u32;
    new.moved_at = of_address.since;
    new.moves = if of_address.moves > 0xffff { 0xffff } else { of_address.moves as u16 };
    let what = match judge(port, of_address.moves, to_port.moves, config.move_limit) {
        Judgement::Pass => return NOTHING,
        Judgement::Tell => NOTHING,
        Judgement::Hold => HELD,
        Judgement::Shut => SHUT,
        Judgement::Loop => LOOPED,
    };
    if what != NOTHING {
        entry.moved_at = new.moved_at;
        entry.moves = new.moves;
    }
    let begins = begins(of_address.moves, to_port.moves, config.move_limit);
    what | if begins { EXCESS } else { 0 }
}

/// Whether an entry counts: not expired, and its port exists and remembers it.
#[inline(always)]
fn is_live(entry: &FdbEntry, now: u64, config: &SwitchConfig) -> bool {
    match tables::rows(entry.slot) {
        Some((port, link)) => entry.is_alive(port, link) && !entry.is_expired(now, config.ageing_jiffies),
        None => false,
    }
}

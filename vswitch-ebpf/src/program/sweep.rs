//! What the controller asks for: each change is made here, in one step and with the counters that go with it.

use aya_ebpf::bindings::__sk_buff;
use vswitch_common::{
    fdb::{FdbEntry, FdbKey, FdbKind},
    request::{Answer, Request, Selector, Verb, only},
};

use super::{fdb, helper, room, tables};

/// What a sweep carries from place to place.
struct Sweep {
    selector: Selector,
    first: u32,
    removed: u32,
    now: u64,
}

/// Does what the frame asks for, and returns the answer.
#[inline(always)]
pub fn answer(skb: *mut __sk_buff) -> u32 {
    // SAFETY: `skb` is the program's context. The packet is read only after the comparison with its end; every bit pattern
    // is a `Request`, and nothing below moves the packet.
    let request = unsafe {
        let start = (*skb).data as usize;
        if start + size_of::<Request>() > (*skb).data_end as usize {
            return Answer::Busy as u32;
        }
        &*(start as *const Request)
    };
    let verb = request.verb;
    if verb == Verb::Sweep as u8 {
        return sweep(request);
    }
    if verb == Verb::Open as u8 {
        return open(u32::from(request.selector.slot));
    }
    if verb == Verb::Add as u8 || verb == Verb::Replace as u8 {
        let entry = request.entry;
        return put(request.key, &entry, verb == Verb::Add as u8) as u32;
    }
    Answer::Busy as u32
}

#[inline(always)]
fn sweep(request: &Request) -> u32 {
    let mut sweep =
        Sweep { selector: request.selector, first: request.first, removed: 0, now: helper::jiffies() };
    helper::repeat(request.count, step, &mut sweep);
    if sweep.removed != 0 {
        fdb::void_verdicts();
    }
    sweep.removed
}

unsafe extern "C" fn step(index: u64, sweep: *mut Sweep) -> i64 {
    // SAFETY: `sweep` passes a live `Sweep`, and the loop calls this function on one CPU, one step after the other.
    let sweep = unsafe { &mut *sweep };
    let (selector, now) = (sweep.selector, sweep.now);
    let wanted = |key: FdbKey, entry: &FdbEntry| {
        let is_void = selector.only & only::VOID != 0 && room::is_void(entry, now);
        selector.matches(key, entry, is_void)
    };
    if room::remove_if(sweep.first + index as u32, wanted) {
        sweep.removed += 1;
    }
    0
}

/// Adds or replaces an entry.
#[inline(always)]
fn put(key: FdbKey, entry: &FdbEntry, is_new: bool) -> Answer {
    let now = helper::jiffies();
    let slot = u32::from(entry.slot);
    let who = if matches!(entry.kind(), FdbKind::Dynamic) { slot } else { 0 };
    let mut place = room::find(slot, room::PLACE, now);
    for _ in 0..2 {
        let needed = match put_at(key, entry, is_new, place, now) {
            Ok(answer) => return answer,
            Err(needed) => needed,
        };
        place = room::find(who, needed, now);
        if place == room::NOWHERE {
            return if needed == room::ROOM_OF_PORT { Answer::Limited } else { Answer::Full };
        }
    }
    put_at(key, entry, is_new, place, now).unwrap_or(Answer::Full)
}

/// Does so with a place that was found before, or tells what must be searched for first.
#[inline(always)]
fn put_at(key: FdbKey, entry: &FdbEntry, is_new: bool, place: u32, now: u64) -> Result<Answer, u32> {
    let slot = u32::from(entry.slot);
    let (Some(config), Some(port), Some(link)) =
        (tables::config(), tables::port(slot), tables::link_mut(slot))
    else {
        return Ok(Answer::Busy);
    };
    if !tables::lock_patiently(key) {
        return Ok(Answer::Busy);
    }
    let mut new = FdbEntry { stamp: now, epoch: link.epoch, ..*entry };
    let result = match tables::fdb_get(key) {
        None => match room::insert(key, &mut new, port, link, place, config) {
            room::DONE => Ok(Answer::Done),
            needed => Err(needed),
        },
        Some(old) => {
            let counts = !room::is_void(old, now);
            if counts && (old.is_own() || is_new && !matches!(old.kind(), FdbKind::Dynamic)) {
                Ok(Answer::Exists)
            } else if room::replace(key, old, &mut new, port, link) {
                Ok(Answer::Done)
            } else {
                Err(room::ROOM_OF_PORT)
            }
        }
    };
    tables::unlock(key);
    fdb::void_verdicts();
    result
}

/// Opens a port.
#[inline(always)]
fn open(slot: u32) -> u32 {
    if let Some(link) = tables::link_mut(slot) {
        link.shut_reason = 0;
        link.shut_until = 0;
        link.moves = 0;
        fdb::void_verdicts();
    }
    0
}

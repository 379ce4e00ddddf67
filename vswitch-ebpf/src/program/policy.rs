//! Rules and bindings: what looks at more of a frame than its addresses and VLAN.
//!
//! What is found is kept for frames with the same headers ([`AclFlow`]), so that a frame of a running flow costs reading
//! its headers and one comparison, whatever the number of rules.

use aya_ebpf::bindings::__sk_buff;
use vswitch_common::{
    acl::{AclFlow, AclKey, COUNT_MASKS_MAX, Direction, layer},
    config::{SwitchConfig, switch_flag},
    drop::DropReason,
    port::{PortConfig, Slot, flag},
};
use vswitch_ebpf::{frame::Frame, stage::headers};

use super::{
    acl::{self, Found},
    bindings, helper, journal,
    skb::Skb,
    tables::{self, AclScratch, TOLD},
};

/// What a frame has to pass, as bits.
const RULES: u32 = 1;
const BINDINGS: u32 = 1 << 1;
/// The frame leaves.
const LEAVING: u32 = 1 << 2;

/// Whether a frame may enter by a port.
#[inline(always)]
pub fn enter(skb: &Skb, slot: Slot, port: &PortConfig, vlan: u16) -> Result<(), DropReason> {
    let rules = if port.has(flag::ACL_IN) { RULES } else { 0 };
    let bindings = if port.has(flag::SPOOF_CHECK) { BINDINGS } else { 0 };
    if rules | bindings == 0 {
        return Ok(());
    }
    result(skb, slot, vlan, rules | bindings)
}

/// Whether a frame may leave by a port.
#[inline(always)]
pub fn leave(skb: &Skb, slot: Slot, port: &PortConfig, vlan: u16) -> Result<(), DropReason> {
    if !port.has(flag::ACL_OUT) {
        return Ok(());
    }
    result(skb, slot, vlan, RULES | LEAVING)
}

/// Added to a verdict: rules of the scratch row are to be told about.
const TELL: u32 = 1 << 16;
const PASSES: u32 = 0;
const SPOOFED: u32 = 1 + DropReason::Spoofed as u32;
const DENIED: u32 = 1 + DropReason::Acl as u32;

#[inline(always)]
fn result(skb: &Skb, slot: Slot, vlan: u16, guards: u32) -> Result<(), DropReason> {
    // One after the other, not one in the other: of the stack there are 512 bytes for all calls that wait.
    vswitch_headers(skb.raw(), u32::from(slot), u32::from(vlan), guards);
    let verdict = vswitch_policy(skb.raw(), guards);
    if verdict & TELL != 0 {
        // Not from within the check, under which there is no room on the stack.
        journal::vswitch_ruled(skb.raw());
    }
    match verdict & !TELL {
        PASSES => Ok(()),
        SPOOFED => Err(DropReason::Spoofed),
        _ => Err(DropReason::Acl),
    }
}

/// One of the three numbers above, and perhaps [`TELL`].
///
/// Its linkage is global, which makes the verifier look at it once, whatever calls it, rather than once for each way that
/// leads to a call.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn vswitch_policy(raw: *mut __sk_buff, guards: u32) -> u32 {
    // One place on the stack for all loops.
    let mut kept = raw;
    let length = Skb::new(raw).length();
    let (Some(config), Some(state), Some(scratch)) =
        (tables::config(), tables::state(), tables::acl_scratch())
    else {
        return PASSES;
    };
    // Read before the rules, as for the verdict of the whole frame.
    let generation = config.generation.wrapping_add(state.generation as u32);
    let period = (helper::jiffies() >> config.cache_shift) as u32;
    if guards & BINDINGS != 0 && scratch.key.layers() & layer::NEIGHBOUR != 0 && bindings::neighbour_lies(raw)
    {
        return SPOOFED;
    }
    let Some(flow) = tables::acl_flow(scratch.key.index()) else {
        return PASSES;
    };
    let mut tell = 0;
    if !is_same(&flow.key, &scratch.key) || flow.generation != generation || flow.period != period {
        for word in 0..8 {
            flow.key.words[word] = scratch.key.words[word];
        }
        flow.generation = generation;
        flow.period = period;
        judge(&mut kept, flow, scratch, guards, config);
        if scratch.told != 0 && journal::tells(config) {
            tell = TELL;
        }
    }
    count(flow, length, scratch, &mut kept);
    u32::from(flow.verdict) | tell
}

/// Reads the frame into the scratch row; the value has no meaning. Where it stands is kept there as well, so that the
/// verifier forgets what it knows of it, and does not follow each way through the headers to the end of the program.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn vswitch_headers(raw: *mut __sk_buff, slot: u32, vlan: u32, guards: u32) -> u32 {
    let (Some(config), Some(scratch)) = (tables::config(), tables::acl_scratch()) else {
        return 0;
    };
    let skb = Skb::new(raw);
    let vlan = if config.has(switch_flag::VLAN_FILTERING) {
        vlan as u16
    } else {
        skb.vid_beside().unwrap_or(headers::VLAN_IN_FRAME)
    };
    headers::start(&skb, vlan, slot as Slot, &mut scratch.key, &mut scratch.packet);
    if headers::has_extensions(&scratch.key, &scratch.packet) {
        let mut kept = raw;
        helper::repeat(headers::MAX_EXTENSIONS, read_extension, &mut kept);
    }
    read_transport(raw, guards);
    0
}

unsafe extern "C" fn read_extension(_index: u64, skb: *mut *mut __sk_buff) -> i64 {
    let Some(scratch) = tables::acl_scratch() else {
        return 1;
    };
    // SAFETY: `vswitch_headers` passes a live pointer to the program's context.
    let skb = Skb::new(unsafe { *skb });
    i64::from(!headers::extension(&skb, &mut scratch.packet))
}

#[inline(never)]
fn read_transport(raw: *mut __sk_buff, guards: u32) {
    if let Some(scratch) = tables::acl_scratch() {
        let direction = if guards & LEAVING != 0 { Direction::Out } else { Direction::In };
        headers::transport(&Skb::new(raw), direction as u8, &mut scratch.key, &mut scratch.packet);
    }
}

/// Word by word: for arrays the compiler would call a function.
#[inline(always)]
fn is_same(one: &AclKey, other: &AclKey) -> bool {
    let mut difference = 0;
    for index in 0..8 {
        difference |= one.words[index] ^ other.words[index];
    }
    difference == 0
}

/// Finds out what holds for frames like this.
#[inline(always)]
fn judge(
    raw: &mut *mut __sk_buff,
    flow: &mut AclFlow,
    scratch: &mut AclScratch,
    guards: u32,
    config: &SwitchConfig,
) {
    scratch.told = 0;
    flow.counter = AclFlow::NO_RULE;
    flow.counted = 0;
    flow.verdict = PASSES as u16;
    if guards & BINDINGS != 0 && bindings::spoofed() {
        flow.verdict = SPOOFED as u16;
        return;
    }
    if guards & RULES == 0 {
        return;
    }
    let found = acl::search(config);
    flow.counter = found.counter();
    if found.denies() || scratch.key.layers() & layer::OPAQUE != 0 {
        flow.verdict = DENIED as u16;
    }
    if found.logs() {
        scratch.tell[0] = found.counter();
        scratch.told = 1;
    }
    if scratch.count != 0 {
        scratch.rank = found.rank();
        helper::repeat(scratch.count, settle_one, raw);
    }
}

/// Sorts out one of the rules that only count: those behind the rule that decides do not.
///
/// A loop of the kernel's for what is rare: a loop of ours would be unrolled, and checked for all its outcomes. What it needs
/// is in the scratch row, because the stack is short.
unsafe extern "C" fn settle_one(index: u64, _raw: *mut *mut __sk_buff) -> i64 {
    let Some(scratch) = tables::acl_scratch() else {
        return 1;
    };
    let Some(flow) = tables::acl_flow(scratch.key.index()) else {
        return 1;
    };
    let counting = Found::from_bits(scratch.found[index as usize & (COUNT_MASKS_MAX - 1)]);
    if counting.rank() < scratch.rank {
        flow.counters[flow.counted as usize & (COUNT_MASKS_MAX - 1)] = counting.counter();
        flow.counted += 1;
        if counting.logs() {
            scratch.tell[scratch.told as usize & (TOLD - 1)] = counting.counter();
            scratch.told += 1;
        }
    }
    0
}

/// Each rule counts each frame.
#[inline(always)]
fn count(flow: &AclFlow, length: u32, scratch: &mut AclScratch, raw: &mut *mut __sk_buff) {
    if flow.counted != 0 {
        scratch.length = length;
        helper::repeat(flow.counted, count_next, raw);
    }
    count_one(flow.counter, length);
}

unsafe extern "C" fn count_next(index: u64, _raw: *mut *mut __sk_buff) -> i64 {
    let Some(scratch) = tables::acl_scratch() else {
        return 1;
    };
    if let Some(flow) = tables::acl_flow(scratch.key.index()) {
        count_one(flow.counters[index as usize & (COUNT_MASKS_MAX - 1)], scratch.length);
    }
    0
}

#[inline(always)]
fn count_one(counter: u16, length: u32) {
    if let Some(count) = tables::acl_count(counter) {
        count.frames += 1;
        count.bytes += u64::from(length);
    }
}

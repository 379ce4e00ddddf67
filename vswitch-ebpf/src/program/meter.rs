//! Meters, shared by all CPUs: one word is compared and exchanged.

use aya_ebpf::bindings::__sk_buff;
use vswitch_common::{
    meter::{Meter, MeterKind, TICK_SHIFT, Unit, ticks},
    port::Slot,
};
use vswitch_ebpf::{frame::Frame as _, stage::meter as stage};

use super::{helper, skb::Skb, tables};

/// How often a frame tries again when another CPU's frame was faster. One that has lost every time is refused: so many
/// frames have passed meanwhile, and no more than the meter allows ever do.
const TRIES: u32 = 8;

/// Whether a port may carry one more frame of this kind.
#[inline(always)]
pub fn allows(skb: &Skb, slot: Slot, kind: MeterKind) -> bool {
    vswitch_meter(skb.raw(), u32::from(slot), kind as u32) != 0
}

/// A global function of the object, which the verifier walks through once for all of its callers (Linux 5.6). As a local
/// one it takes as many steps as all the rest of the program, twice.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn vswitch_meter(skb: *mut __sk_buff, slot: u32, kind: u32) -> u32 {
    u32::from(pass(skb, slot, kind))
}

#[inline(always)]
fn pass(skb: *mut __sk_buff, slot: u32, kind: u32) -> bool {
    let Some(meter) = tables::meter(slot, kind) else { return true };
    let units = match Unit::from_u32(meter.unit) {
        Unit::None => return true,
        Unit::Frames => frames(skb, false),
        Unit::Bytes => frames(skb, true),
    };
    let cost = ticks(meter.cost, units);
    let now = helper::nanoseconds() << TICK_SHIFT;
    take(meter, now, cost)
}

#[inline(always)]
fn take(meter: &mut Meter, now: u64, cost: u64) -> bool {
    let burst = meter.burst;
    for _ in 0..TRIES {
        // SAFETY: the row is valid; another CPU may change it between here and the exchange, which then fails.
        let full_at = unsafe { core::ptr::read_volatile(&raw const meter.full_at) };
        let next = stage::pass(now, full_at, cost, burst);
        if next == 0 {
            return false;
        }
        if helper::compare_exchange(&mut meter.full_at, full_at, next) == full_at {
            return true;
        }
    }
    false
}

/// The frames that a frame stands for, or their bytes.
#[inline(always)]
fn frames(skb: *mut __sk_buff, in_bytes: bool) -> u32 {
    let length = Skb::new(skb).length();
    // SAFETY: `skb` is the program's context; Linux 5.1 and 5.7 have these fields.
    let (segment, said) = unsafe { ((*skb).gso_size, (*skb).gso_segs) };
    if segment == 0 {
        return if in_bytes { length } else { 1 };
    }
    let header = header_length(skb);
    let segments = stage::segments(said, length, header, segment);
    if in_bytes { stage::bytes(length, header, segments) } else { segments }
}

/// Length of the headers that each frame of an aggregate has: Ethernet, IP and TCP or UDP. An aggregate in a tunnel counts with
/// the outer ones.
#[inline(always)]
fn header_length(skb: *mut __sk_buff) -> u32 {
    const IPV6: [u8; 2] = [0x86, 0xdd];
    const UDP: u8 = 17;
    let mut network = 14;
    let mut ethertype: [u8; 2] = helper::bytes(skb, 12);
    if matches!(ethertype, [0x81, 0x00] | [0x88, 0xa8]) {
        network = 18;
        ethertype = helper::bytes(skb, 16);
    }
    let (transport, protocol) = if ethertype == IPV6 {
        let [protocol] = helper::bytes(skb, network + 6);
        (network + 40, protocol)
    } else {
        let [version] = helper::bytes(skb, network);
        let [protocol] = helper::bytes(skb, network + 9);
        (network + 4 * u32::from(version & 0xf), protocol)
    };
    if protocol == UDP {
        return transport + 8;
    }
    let [offset] = helper::bytes(skb, transport + 12);
    transport + 4 * u32::from(offset >> 4)
}

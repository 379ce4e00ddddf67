//! One copy for every eligible port, the last of them by a plain redirect.
//!
//! Copies for veth ports wait in a queue of the CPU that holds 1,000 frames (`net.core.netdev_max_backlog`), and it is
//! not emptied while this program runs. So a flood to many ports is done in rounds: after [`COPIES`] the frame itself
//! goes to the end of that queue, back to the ingress of its own port, with a note on it of where to go on.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use vswitch_common::{
    drop::DropReason,
    map::MAX_PORT_SLOTS,
    port::{PortConfig, Slot},
};
use vswitch_ebpf::{
    frame::{Cast, Frame},
    stage::egress::{fits, floods},
};

use super::{count, helper, pipeline::Entered, skb::Skb, tables};

/// Copies in one round: few enough that other traffic finds room in the queue as well.
const COPIES: u32 = 256;
/// The bit of a note that says that a flood goes on; the others are the slot.
const GO_ON: u32 = 0x8000;
const _: () = assert!(MAX_PORT_SLOTS <= GO_ON);

/// What the loop carries from port to port.
struct Round {
    skb: *mut __sk_buff,
    ingress: PortConfig,
    ingress_slot: Slot,
    cast: Cast,
    length: u32,
    /// The slot after which this round begins.
    after: u32,
    copies: u32,
    /// The port found last: its copy is sent when another one turns up, or is the original when none does.
    pending_slot: Slot,
    pending_ifindex: u32,
    /// The round ended early; the pending port is the first of the next one.
    full: bool,
}

/// The slot after which a flood goes on, if this frame comes from an earlier round of one.
#[inline(always)]
pub fn resumed(skb: &Skb) -> Option<u32> {
    let note = skb.note();
    if note & GO_ON != 0 { Some(note & (GO_ON - 1)) } else { None }
}

/// Floods the frame and returns the program's verdict.
#[inline(always)]
pub fn flood(skb: &Skb, frame: &Entered, cast: Cast) -> i32 {
    let Some(config) = tables::config() else {
        return TC_ACT_SHOT;
    };
    if frame.resumed_after != 0 {
        skb.set_note(0);
    }
    let mut round = Round {
        skb: skb.raw(),
        ingress: frame.ingress,
        ingress_slot: frame.slot,
        cast,
        length: skb.length(),
        after: frame.resumed_after,
        copies: 0,
        pending_slot: 0,
        pending_ifindex: 0,
        full: false,
    };
    helper::repeat(config.high_slot.saturating_sub(frame.resumed_after), visit, &mut round);
    if round.full {
        skb.set_note(GO_ON | (u32::from(round.pending_slot) - 1));
        return helper::redirect_ingress(skb.ingress_ifindex());
    }
    if round.pending_ifindex == 0 {
        if frame.resumed_after == 0 {
            count::flooded_nowhere(frame.slot);
        }
        return TC_ACT_SHOT;
    }
    count::sent(round.pending_slot, round.length);
    helper::redirect(round.pending_ifindex)
}

unsafe extern "C" fn visit(index: u64, round: *mut Round) -> i64 {
    // SAFETY: `flood` passes a live `Round`, and the loop calls this function on one CPU, one step after the other.
    let round = unsafe { &mut *round };
    // Slot 0 is no port.
    let slot = round.after + index as u32 + 1;
    let slot = slot as Slot;
    let Some(port) = tables::port(u32::from(slot)) else {
        return 1;
    };
    if !floods(round.cast, round.ingress_slot, &round.ingress, slot, port) {
        return 0;
    }
    let ifindex = port.ifindex;
    let (check, mtu) = helper::check_mtu(round.skb, ifindex);
    if let Err(reason) = fits(check, round.length, mtu) {
        count::not_sent(slot, reason);
        return 0;
    }
    if round.pending_ifindex != 0 {
        if round.copies >= COPIES {
            round.full = true;
            return 1;
        }
        round.copies += 1;
        if helper::clone_redirect(round.skb, round.pending_ifindex) {
            count::sent(round.pending_slot, round.length);
        } else {
            count::not_sent(round.pending_slot, DropReason::DeviceDown);
        }
    }
    round.pending_slot = slot;
    round.pending_ifindex = ifindex;
    0
}

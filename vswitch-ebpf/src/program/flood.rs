//! One copy for every eligible port, the last of them by a plain redirect.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use vswitch_common::{
    drop::DropReason,
    port::{PortConfig, Slot},
};
use vswitch_ebpf::{
    frame::{Cast, Frame},
    stage::egress::{fits, floods},
};

use super::{count, fdb, helper, pipeline::Entered, skb::Skb, tables};

/// What the loop carries from port to port.
struct Round {
    skb: *mut __sk_buff,
    ingress: PortConfig,
    ingress_slot: Slot,
    cast: Cast,
    length: u32,
    /// The port found last: its copy is sent when another one turns up, or is the original when none does.
    pending_slot: Slot,
    pending_ifindex: u32,
}

/// Floods the frame and returns the program's verdict.
#[inline(always)]
pub fn flood(skb: &Skb, frame: &Entered, cast: Cast) -> i32 {
    let Some(config) = tables::config() else {
        return TC_ACT_SHOT;
    };
    let mut round = Round {
        skb: skb.raw(),
        ingress: frame.ingress,
        ingress_slot: frame.slot,
        cast,
        length: skb.length(),
        pending_slot: 0,
        pending_ifindex: 0,
    };
    helper::repeat(config.high_slot, visit, &mut round);
    if round.pending_ifindex == 0 {
        count::flooded_nowhere(frame.slot);
        return TC_ACT_SHOT;
    }
    count::sent(round.pending_slot, round.length);
    helper::redirect(round.pending_ifindex)
}

unsafe extern "C" fn visit(index: u64, round: *mut Round) -> i64 {
    // SAFETY: `flood` passes a live `Round`, and the loop calls this function on one CPU, one step after the other.
    let round = unsafe { &mut *round };
    // Slot 0 is no port.
    let slot = index as u32 + 1;
    let Some(port) = tables::port(slot) else { return 1 };
    let slot = slot as Slot;
    if !floods(round.cast, round.ingress_slot, &round.ingress, slot, port) {
        return 0;
    }
    let ifindex = port.ifindex;
    let (check, mtu) = helper::check_mtu(round.skb, ifindex);
    if let Err(reason) = fits(check, round.length, mtu) {
        count::not_sent(slot, reason);
        if matches!(reason, DropReason::DeviceGone) {
            fdb::device_gone(u32::from(slot));
        }
        return 0;
    }
    if round.pending_ifindex != 0 {
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

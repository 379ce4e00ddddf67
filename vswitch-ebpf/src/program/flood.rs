//! One copy for every eligible port, the last of them by a plain redirect.
//!
//! Copies for veth ports wait in a queue of the CPU that holds 1,000 frames (`net.core.netdev_max_backlog`), and it is
//! not emptied while this program runs. So a flood to many ports is done in rounds: after [`COPIES`] the frame itself
//! goes to the end of that queue, back to the ingress of its own port, with a note on it of where to go on.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use vswitch_common::{
    config::switch_flag,
    drop::DropReason,
    link::PortLink,
    map::MAX_PORT_SLOTS,
    meter::MeterKind,
    port::{PortConfig, Slot, flag},
    vlan::Retag,
};
use vswitch_ebpf::{
    frame::{Cast, Frame},
    outcome::End,
    stage::egress::{fits, floods},
};

use super::{
    count, guard, helper, meter, mirror, neigh,
    pipeline::Entered,
    policy,
    skb::{OUR_MARK, Outer, Skb},
    tables, vlan, watch,
};

/// Copies in one round: few enough that other traffic finds room in the queue as well.
const COPIES: u32 = 256;
/// The bit of a note that says that a flood goes on.
const GO_ON: u32 = 0x8000;
/// The bit that says that it does not go to ports with `neigh-suppress`; the others are the slot.
const SUPPRESS: u32 = 0x4000;
const _: () = assert!(MAX_PORT_SLOTS <= SUPPRESS);

/// What the loop carries from port to port.
struct Round {
    skb: *mut __sk_buff,
    outer: Outer,
    ingress_slot: Slot,
    vlan: u16,
    cast: Cast,
    suppress: bool,
    length: u32,
    /// The slot after which this round begins.
    after: u32,
    copies: u32,
    /// The port found last: its copy is sent when another one turns up, or is the original when none does.
    pending_slot: Slot,
    /// What becomes of the tag there.
    pending_retag: Retag,
    pending_ifindex: u32,
    /// What has become of the tag so far.
    retag: Retag,
    /// The round ended early, before this slot; 0 if it did not.
    next: Slot,
}

/// Where a flood goes on, if this frame comes from an earlier round of one: after which slot, and whether it spares the
/// ports with `neigh-suppress`.
#[inline(always)]
pub fn resumed(skb: &Skb) -> Option<(u32, bool)> {
    let note = skb.note();
    if note & GO_ON != 0 && skb.is_ours() {
        Some((note & (SUPPRESS - 1), note & SUPPRESS != 0))
    } else {
        None
    }
}

/// Floods the frame and returns the program's verdict.
#[inline(always)]
pub fn flood(skb: &Skb, frame: &Entered) -> i32 {
    let Some(config) = tables::config() else {
        return TC_ACT_SHOT;
    };
    let suppress = !matches!(frame.outcome.end, End::Flood);
    let after = frame.resumed_after;
    if after != 0 {
        skb.set_note(0);
        skb.set_mark(0);
    }
    let mut round = Round {
        skb: skb.raw(),
        outer: frame.outer,
        ingress_slot: frame.slot,
        vlan: frame.vlan,
        cast: frame.cast,
        suppress,
        length: skb.length(),
        after,
        copies: 0,
        pending_slot: 0,
        pending_retag: Retag::KEEP,
        pending_ifindex: 0,
        retag: Retag::KEEP,
        next: 0,
    };
    helper::repeat(config.high_slot.saturating_sub(after), visit, &mut round);
    if round.next != 0 {
        copy(&mut round);
        // The next round knows the frame as it came.
        if !skb.retag(&round.outer, round.retag, Retag::KEEP) {
            return TC_ACT_SHOT;
        }
        let suppress = if suppress { SUPPRESS } else { 0 };
        skb.set_note(GO_ON | suppress | (u32::from(round.next) - 1));
        skb.set_mark(OUR_MARK);
        return helper::redirect_ingress(skb.ingress_ifindex());
    }
    if matches!(frame.outcome.end, End::Answer) {
        if round.pending_ifindex != 0 {
            copy(&mut round);
        }
        return answer(skb, frame, round.retag);
    }
    if round.pending_ifindex == 0 {
        if after == 0 {
            count::flooded_nowhere(frame.slot);
        }
        return TC_ACT_SHOT;
    }
    if !dress(&mut round) {
        count::not_sent(round.pending_slot, DropReason::DeviceDown);
        return TC_ACT_SHOT;
    }
    count::sent(round.pending_slot, round.length);
    helper::redirect(round.pending_ifindex)
}

unsafe extern "C" fn visit(index: u64, round: *mut Round) -> i64 {
    // SAFETY: `flood` passes a live `Round`, and the loop calls this function on one CPU, one step after the other.
    let round = unsafe { &mut *round };
    // Slot 0 is no port.
    let slot = (round.after + index as u32 + 1) as Slot;
    let (Some(port), Some(ingress), Some(config)) =
        (tables::port(u32::from(slot)), tables::port(u32::from(round.ingress_slot)), tables::config())
    else {
        return 1;
    };
    if !floods(round.cast, round.ingress_slot, ingress, slot, port)
        || round.suppress && port.flags & (flag::NEIGH_SUPPRESS | flag::PROXY_ARP_WIFI) != 0
        || guard::is_shut(slot)
    {
        return 0;
    }
    // Nor does one whose device is down.
    if tables::link(u32::from(slot)).is_some_and(PortLink::went_down) && watch::is_down(slot) {
        return 0;
    }
    // A port that is not in the VLAN does not take part, which is no drop.
    let Ok(retag) = vlan::leave(&round.outer, round.vlan, slot, port, config) else {
        return 0;
    };
    if round.pending_ifindex != 0 && round.copies + 1 >= COPIES {
        // Before the port's meter and rules are asked: the next round asks them, and they count each copy.
        round.next = slot;
        return 1;
    }
    if let Err(reason) = passes(round, slot, port) {
        count::not_sent(slot, reason);
        return 0;
    }
    if round.pending_ifindex != 0 {
        round.copies += 1;
        copy(round);
    }
    round.pending_slot = slot;
    round.pending_retag = retag;
    round.pending_ifindex = port.ifindex;
    0
}

/// Whether a copy may leave by a port.
#[inline(always)]
fn passes(round: &Round, slot: Slot, port: &PortConfig) -> Result<(), DropReason> {
    let (check, mtu) = helper::check_mtu(round.skb, port.ifindex);
    fits(check, round.length, mtu)?;
    let skb = Skb::new(round.skb);
    if port.has(flag::ACL_OUT) {
        policy::leave(&skb, slot, port, round.vlan)?;
    }
    if port.has(flag::POLICE_OUT) && !meter::allows(&skb, slot, MeterKind::PoliceOut) {
        return Err(DropReason::Policed);
    }
    Ok(())
}

/// Sends a copy out of the pending port.
#[inline(never)]
fn copy(round: &mut Round) {
    if dress(round) && helper::clone_redirect(round.skb, round.pending_ifindex) {
        count::sent(round.pending_slot, round.length);
    } else {
        count::not_sent(round.pending_slot, DropReason::DeviceDown);
    }
}

/// Turns the frame into the answer to itself, which leaves by the port by which it came, with the tag that it had; without
/// one in the VLAN of untagged frames there.
#[inline(always)]
fn answer(skb: &Skb, frame: &Entered, from: Retag) -> i32 {
    let is_untagged = tables::port(u32::from(frame.slot)).is_some_and(|port| port.pvid == frame.vlan);
    let to = if is_untagged && frame.outer.tag.is_present() { Retag::POP } else { Retag::KEEP };
    if !skb.retag(&frame.outer, from, to) || !neigh::answer(skb, frame.vlan) {
        count::not_sent(frame.slot, DropReason::DeviceDown);
        return TC_ACT_SHOT;
    }
    let is_policed = tables::port(u32::from(frame.slot)).is_some_and(|port| port.has(flag::POLICE_OUT));
    if is_policed && !meter::allows(skb, frame.slot, MeterKind::PoliceOut) {
        count::not_sent(frame.slot, DropReason::Policed);
        return TC_ACT_SHOT;
    }
    if let (Some(port), Some(config)) = (tables::port(u32::from(frame.slot)), tables::config()) {
        if config.has(switch_flag::VLAN_STATS) {
            count::vlan_sent(frame.slot, frame.vlan, skb.length());
        }
        if (port.mirror_out | config.mirrors) != 0 {
            mirror::sent(skb, port, frame.vlan, config);
        }
    }
    count::sent(frame.slot, skb.length());
    helper::redirect(skb.ingress_ifindex())
}

/// Gives the frame the tag that it needs for the pending port, and the port's mirror sessions their copies.
#[inline(always)]
fn dress(round: &mut Round) -> bool {
    let skb = Skb::new(round.skb);
    if !skb.retag(&round.outer, round.retag, round.pending_retag) {
        return false;
    }
    round.retag = round.pending_retag;
    let (Some(port), Some(config)) = (tables::port(u32::from(round.pending_slot)), tables::config()) else {
        return false;
    };
    if config.has(switch_flag::VLAN_STATS) {
        count::vlan_sent(round.pending_slot, round.vlan, round.length);
    }
    if (port.mirror_out | config.mirrors) != 0 {
        mirror::sent(&skb, port, round.vlan, config);
    }
    true
}

//! The short way: a frame of a flow whose verdict is known.

use vswitch_common::{
    config::SwitchConfig,
    drop::DropReason,
    flow::{FlowEntry, work},
    meter::MeterKind,
    port::Redirect,
};
use vswitch_ebpf::{frame::Frame, outcome::Outcome};

use aya_ebpf::bindings::TC_ACT_SHOT;

use super::{
    cache::{self, Validity, Verdict},
    count, flood, helper, journal, meter, mirror, pipeline, policy,
    skb::{Outer, Skb},
    tables, vlan,
};

/// There is no verdict: the frame has to go the long way. No action has this number.
pub const UNKNOWN: i32 = i32::MIN;

/// Sends a frame where others of its flow went, and returns the program's verdict, or [`UNKNOWN`].
#[inline(always)]
pub fn forward(skb: &Skb) -> i32 {
    let (Some(config), Some(ethernet)) = (tables::config(), skb.ethernet()) else {
        return UNKNOWN;
    };
    let key = cache::key(skb, &ethernet, vlan::tag(skb, config));
    let length = skb.length();
    let validity = || Some(Validity::of(config, tables::state()?, helper::jiffies()));
    let Some(flow) = cache::find(&key, validity, length) else {
        return UNKNOWN;
    };
    if flood::resumed(skb).is_some() || mirror::is_copy(skb) {
        return UNKNOWN;
    }
    if flow.work != 0 {
        return work_through(skb, flow, config);
    }
    count::forwarded(flow.ingress_slot, flow.egress_slot, length);
    skb.redirect(flow.egress_ifindex, flow.redirect == Redirect::Peer as u8)
}

/// The same as the long way does for a frame of a plain flow, and in the same order.
#[inline(never)]
fn work_through(skb: &Skb, flow: &FlowEntry, config: &SwitchConfig) -> i32 {
    let verdict =
        Verdict { ingress: flow.ingress_slot, vlan: flow.vlan, work: flow.work, egress: cache::egress(flow) };
    // As it came: the tag may go.
    let length = skb.length();
    match pass(skb, &vlan::outer(skb, config), &verdict, config) {
        Ok(()) => {
            count::forwarded(verdict.ingress, verdict.egress.slot, length);
            skb.leave(&verdict.egress)
        }
        Err(reason) => {
            count::received(verdict.ingress, length, &Outcome::drop(reason));
            journal::dropped(skb, verdict.ingress, reason, config);
            TC_ACT_SHOT
        }
    }
}

#[inline(always)]
fn pass(skb: &Skb, outer: &Outer, verdict: &Verdict, config: &SwitchConfig) -> Result<(), DropReason> {
    let Verdict { ingress: slot, vlan, work, egress } = verdict;
    let ingress = tables::port(u32::from(*slot)).ok_or(DropReason::Shut)?;
    let port = tables::port(u32::from(egress.slot)).ok_or(DropReason::DeviceGone)?;
    if work & work::MIRROR != 0 {
        mirror::received(skb, ingress, *vlan, config);
    }
    if work & work::POLICE_IN != 0 && !meter::allows(skb, *slot, MeterKind::PoliceIn) {
        return Err(DropReason::Policed);
    }
    if work & work::VLAN_STATS != 0 {
        count::vlan_received(*slot, *vlan, skb.length());
    }
    if work & work::POLICY != 0 {
        policy::enter(skb, *slot, ingress, *vlan)?;
    }
    pipeline::leave(skb, outer, verdict, port, config)
}

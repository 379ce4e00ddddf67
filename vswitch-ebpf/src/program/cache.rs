//! The flow verdict cache. Only unicast forward verdicts are kept.

use vswitch_common::{
    flow::{FlowEntry, FlowKey},
    port::{Redirect, Slot},
    vlan::Retag,
};
use vswitch_ebpf::{frame::OVERHEAD, outcome::Egress};

use super::tables;

/// What a verdict is valid for.
#[derive(Clone, Copy)]
pub struct Validity {
    /// Sum of both generations, read before anything else of the frame's journey.
    pub generation: u32,
    /// `jiffies >> cache_shift`.
    pub period: u32,
}

/// Where the frames of a flow go, and what each of them has to go through.
#[derive(Clone, Copy)]
pub struct Verdict {
    /// The port by which they come.
    pub ingress: Slot,
    /// Their VLAN; 0 without VLAN filtering.
    pub vlan: u16,
    /// Bits of [`vswitch_common::flow::work`].
    pub work: u8,
    /// The way out.
    pub egress: Egress,
}

/// The verdict for this flow, if it is still valid and the frame is no longer than the egress port's MTU allows.
#[inline(always)]
pub fn find(key: &FlowKey, validity: Validity, length: u32) -> Option<Verdict> {
    let entry = tables::flow(key.index())?;
    if !entry.matches(key, validity.generation, validity.period) || length > entry.mtu + OVERHEAD {
        return None;
    }
    let redirect = if entry.redirect == Redirect::Peer as u8 { Redirect::Peer } else { Redirect::Dev };
    let retag = Retag::from_bits(entry.retag);
    let egress = Egress { slot: entry.egress_slot, ifindex: entry.egress_ifindex, redirect, retag };
    Some(Verdict { ingress: entry.ingress_slot, vlan: entry.vlan, work: entry.work, egress })
}

/// Keeps a verdict.
#[inline(always)]
pub fn keep(key: &FlowKey, validity: Validity, verdict: &Verdict, mtu: u32) {
    let Some(entry) = tables::flow(key.index()) else {
        return;
    };
    *entry = FlowEntry {
        source: key.source,
        destination: key.destination,
        ingress_ifindex: key.ingress_ifindex,
        egress_ifindex: verdict.egress.ifindex,
        generation: validity.generation,
        period: validity.period,
        ingress_slot: verdict.ingress,
        egress_slot: verdict.egress.slot,
        mtu,
        redirect: verdict.egress.redirect as u8,
        work: verdict.work,
        retag: verdict.egress.retag.to_bits(),
        vlan: verdict.vlan,
        reserved: 0,
    };
}

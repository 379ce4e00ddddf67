//! The flow verdict cache. Only unicast forward verdicts are kept.

use vswitch_common::{
    flow::{FlowEntry, FlowKey},
    port::{Redirect, Slot},
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

/// The verdict for this flow, if it is still valid and the frame is no longer than the egress port's MTU allows.
#[inline(always)]
pub fn find(key: &FlowKey, validity: Validity, length: u32) -> Option<(Slot, Egress)> {
    let entry = tables::flow(key.index())?;
    if !entry.matches(key, validity.generation, validity.period) || length > entry.mtu + OVERHEAD {
        return None;
    }
    let redirect = if entry.redirect == Redirect::Peer as u32 { Redirect::Peer } else { Redirect::Dev };
    Some((entry.ingress_slot, Egress { slot: entry.egress_slot, ifindex: entry.egress_ifindex, redirect }))
}

/// Keeps a verdict.
#[inline(always)]
pub fn keep(key: &FlowKey, validity: Validity, ingress: Slot, egress: &Egress, mtu: u32) {
    let Some(entry) = tables::flow(key.index()) else {
        return;
    };
    *entry = FlowEntry {
        source: key.source,
        destination: key.destination,
        ingress_ifindex: key.ingress_ifindex,
        egress_ifindex: egress.ifindex,
        generation: validity.generation,
        period: validity.period,
        ingress_slot: ingress,
        egress_slot: egress.slot,
        mtu,
        redirect: egress.redirect as u32,
        reserved: 0,
    };
}

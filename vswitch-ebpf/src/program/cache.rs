//! The flow verdict cache. Only unicast forward verdicts are kept.

use vswitch_common::{
    config::{SwitchConfig, SwitchState},
    fdb::FdbKey,
    flow::{FlowEntry, FlowKey},
    port::{Redirect, Slot},
    vlan::{Retag, Tag},
};
use vswitch_ebpf::{
    frame::{Ethernet, Frame, OVERHEAD},
    outcome::Egress,
};

use super::{skb::Skb, tables};

/// What a verdict is valid for.
#[derive(Clone, Copy)]
pub struct Validity {
    /// Sum of both generations, read before anything else of the frame's journey.
    pub generation: u32,
    /// `jiffies >> cache_shift`.
    pub period: u32,
}

impl Validity {
    /// That of a verdict which is made at `now`.
    #[inline(always)]
    pub fn of(config: &SwitchConfig, state: &SwitchState, now: u64) -> Self {
        let generation = config.generation.wrapping_add(state.generation as u32);
        Self { generation, period: (now >> config.cache_shift) as u32 }
    }
}

/// The flow of a frame.
#[inline(always)]
pub fn key(skb: &Skb, ethernet: &Ethernet, tag: Tag) -> FlowKey {
    FlowKey {
        source: FdbKey::new(ethernet.source, tag.to_bits()),
        destination: FdbKey::new(ethernet.destination, 0),
        ingress_ifindex: skb.ingress_ifindex(),
    }
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

/// The entry for this flow, if its verdict is still valid and the frame is no longer than the egress port's MTU allows.
/// `validity` is asked for only if there is one.
#[inline(always)]
pub fn find(
    key: &FlowKey,
    validity: impl FnOnce() -> Option<Validity>,
    length: u32,
) -> Option<&'static FlowEntry> {
    let entry = tables::flow(key.index())?;
    if !entry.is_of(key) || length > entry.mtu + OVERHEAD {
        return None;
    }
    let Validity { generation, period } = validity()?;
    if entry.is_valid(generation, period) { Some(entry) } else { None }
}

/// How the frames of a flow leave.
#[inline(always)]
pub fn egress(entry: &FlowEntry) -> Egress {
    let redirect = if entry.redirect == Redirect::Peer as u8 { Redirect::Peer } else { Redirect::Dev };
    let retag = Retag::from_bits(entry.retag);
    Egress { slot: entry.egress_slot, ifindex: entry.egress_ifindex, redirect, retag }
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

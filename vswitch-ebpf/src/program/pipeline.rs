//! The line: cache, or admit → learn → look up → forward → count.

use vswitch_common::port::flag;
use vswitch_common::{
    config::SwitchConfig,
    drop::DropReason,
    fdb::FdbKey,
    flow::FlowKey,
    link::PortLink,
    port::{PortConfig, Slot},
};
use vswitch_ebpf::{
    frame::{Ethernet, Frame},
    outcome::{Egress, Outcome},
    stage::{
        admit::{Admit, admit, learns},
        egress, forward,
        forward::Destination,
        learn::{Behind, is_authorised},
    },
};

use super::{
    cache::{self, Validity},
    count, fdb, flood, helper, journal,
    skb::Skb,
    tables,
};

/// A frame of which it is decided what becomes of it.
pub struct Entered {
    /// The port by which it came.
    pub slot: Slot,
    /// That port's row. After a cache hit it is empty: nothing reads it then.
    pub ingress: PortConfig,
    /// What becomes of the frame.
    pub outcome: Outcome,
    /// The slot after which a flood goes on; 0 for a frame that has just come.
    pub resumed_after: u32,
}

/// What the slow path looks at.
struct Question<'a> {
    config: &'a SwitchConfig,
    ethernet: Ethernet,
    key: FlowKey,
    slot: Slot,
    ingress: &'a PortConfig,
    link: &'a PortLink,
    now: u64,
    validity: Validity,
}

/// Decides about a frame and counts it; `None` if its device is no port of this switch.
#[inline(always)]
pub fn enter(skb: &Skb) -> Option<Entered> {
    let config = tables::config()?;
    let now = helper::jiffies();
    let ingress_ifindex = skb.ingress_ifindex();
    let length = skb.length();
    let Some(ethernet) = skb.ethernet() else {
        let slot = tables::slot_of(ingress_ifindex)?;
        return Some(entered(skb, slot, &PortConfig::EMPTY, Outcome::Drop(DropReason::Runt), config));
    };
    if let Some(resumed_after) = flood::resumed(skb) {
        // It was admitted and counted when it came.
        let slot = tables::slot_of(ingress_ifindex)?;
        let ingress = *tables::port(u32::from(slot))?;
        let outcome = Outcome::Flood(ethernet.cast());
        return Some(Entered { slot, ingress, outcome, resumed_after });
    }
    // Read before anything that a verdict depends on: a change during this frame's journey then voids the verdict.
    let generation = config.generation.wrapping_add(tables::state()?.generation as u32);
    let validity = Validity { generation, period: (now >> config.cache_shift) as u32 };
    let key = FlowKey {
        source: FdbKey::new(ethernet.source, 0),
        destination: FdbKey::new(ethernet.destination, 0),
        ingress_ifindex,
    };
    if let Some((slot, egress)) = cache::find(&key, validity, length) {
        count::sent(egress.slot, length);
        let outcome = Outcome::Forward(egress);
        count::received(slot, length, &outcome);
        return Some(Entered { slot, ingress: PortConfig::EMPTY, outcome, resumed_after: 0 });
    }
    let slot = tables::slot_of(ingress_ifindex)?;
    let (ingress, link) = tables::rows(slot)?;
    let outcome = decide(skb, &Question { config, ethernet, key, slot, ingress, link, now, validity });
    Some(entered(skb, slot, ingress, outcome, config))
}

#[inline(always)]
fn entered(skb: &Skb, slot: Slot, ingress: &PortConfig, outcome: Outcome, config: &SwitchConfig) -> Entered {
    count::received(slot, skb.length(), &outcome);
    match outcome {
        Outcome::Forward(egress) => count::sent(egress.slot, skb.length()),
        Outcome::Drop(reason) => journal::dropped(skb, slot, reason, config),
        Outcome::Flood(_) | Outcome::Local => {}
    }
    Entered { slot, ingress: *ingress, outcome, resumed_after: 0 }
}

/// The slow path.
#[inline(always)]
fn decide(skb: &Skb, question: &Question<'_>) -> Outcome {
    let Question { config, ethernet, key, slot, ingress, link, now, validity: _ } = question;
    let admitted = admit(ethernet, ingress, config.group_fwd_mask);
    if let Admit::Refuse(reason) = admitted {
        return Outcome::Drop(reason);
    }
    let behind = Behind::port(*slot, ingress, link);
    let must_be_known = ingress.has(flag::LOCKED) && !matches!(admitted, Admit::Local);
    if learns(ingress) || must_be_known {
        let entry = tables::fdb_get(key.source);
        if must_be_known && !is_authorised(entry.as_deref(), behind, *now, config.ageing_jiffies) {
            return Outcome::Drop(DropReason::Locked);
        }
        if learns(ingress) {
            fdb::learn_source(skb, key.source, entry, behind, *now, config);
        }
    }
    match admitted {
        Admit::Enter => {}
        Admit::Local => return Outcome::Local,
        Admit::LearnOnly => return Outcome::Drop(DropReason::NotForwarding),
        Admit::Refuse(reason) => return Outcome::Drop(reason),
    }
    if ethernet.destination.is_group() {
        return Outcome::Flood(ethernet.cast());
    }
    unicast(skb, question)
}

#[inline(always)]
fn unicast(skb: &Skb, question: &Question<'_>) -> Outcome {
    let Question { config, ethernet, key, slot, ingress, link: _, now, validity } = question;
    let entry = tables::fdb_get(key.destination);
    let rows = match &entry {
        Some(entry) => tables::rows(entry.slot),
        None => None,
    };
    let target = match forward::destination(entry.as_deref(), rows, *now, config.ageing_jiffies) {
        Destination::Unknown => return Outcome::Flood(ethernet.cast()),
        Destination::Host => return Outcome::Local,
        Destination::Port(target) => target,
    };
    let Some((row, _)) = rows else {
        return Outcome::Flood(ethernet.cast());
    };
    if let Err(reason) = forward::deliver(*slot, ingress, target, row) {
        return Outcome::Drop(reason);
    }
    let (check, mtu) = helper::check_mtu(skb.raw(), row.ifindex);
    match egress::fits(check, skb.length(), mtu) {
        Ok(()) => {}
        // As after the port is taken out of a bridge.
        Err(DropReason::DeviceGone) => return Outcome::Flood(ethernet.cast()),
        Err(reason) => return Outcome::Drop(reason),
    }
    let leave =
        Egress { slot: target, ifindex: row.ifindex, redirect: egress::redirect(ethernet.destination, row) };
    cache::keep(key, *validity, *slot, &leave, mtu);
    Outcome::Forward(leave)
}

//! The line: cache, or classify → admit → learn → look up → forward → count.

use vswitch_common::{
    config::{SwitchConfig, switch_flag},
    drop::DropReason,
    fdb::FdbKey,
    flow::{FlowKey, work},
    link::PortLink,
    meter::MeterKind,
    port::{PortConfig, Slot, flag},
    vlan::Retag,
};
use vswitch_ebpf::{
    frame::{Cast, Ethernet, Frame},
    outcome::{Egress, Outcome},
    stage::{
        admit::{Admit, admit, learns},
        egress, forward,
        forward::Destination,
        learn::{Behind, is_authorised},
    },
};

use super::{
    cache::{self, Validity, Verdict},
    count, fdb, flood, helper, journal, meter, mirror, neigh, policy,
    skb::{Outer, Skb},
    tables, vlan,
};

/// A frame of which it is decided what becomes of it.
pub struct Entered {
    /// The port by which it came.
    pub slot: Slot,
    /// Its VLAN; 0 without VLAN filtering.
    pub vlan: u16,
    /// The tag with which it came.
    pub outer: Outer,
    /// How it is flooded, if it is.
    pub cast: Cast,
    /// What becomes of it.
    pub outcome: Outcome,
    /// The slot after which its flood goes on; 0 for a frame that has just come.
    pub resumed_after: u32,
}

/// What the slow path looks at.
struct Question<'a> {
    config: &'a SwitchConfig,
    ethernet: Ethernet,
    key: FlowKey,
    outer: Outer,
    vlan: u16,
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
        return Some(finish(skb, slot, Outcome::Drop(DropReason::Runt), config));
    };
    let outer = vlan::outer(skb, config);
    if let Some(resumption) = flood::resumed(skb) {
        return resume(&ethernet, outer, tables::slot_of(ingress_ifindex)?, resumption, config);
    }
    // Read before anything that a verdict depends on: a change during this frame's journey then voids the verdict.
    let generation = config.generation.wrapping_add(tables::state()?.generation as u32);
    let validity = Validity { generation, period: (now >> config.cache_shift) as u32 };
    let key = FlowKey {
        source: FdbKey::new(ethernet.source, outer.tag.to_bits()),
        destination: FdbKey::new(ethernet.destination, 0),
        ingress_ifindex,
    };
    if let Some(verdict) = cache::find(&key, validity, length) {
        let slot = verdict.ingress;
        if verdict.work != 0
            && let Err(reason) = work_through(skb, &outer, &verdict, config)
        {
            return Some(finish(skb, slot, Outcome::Drop(reason), config));
        }
        count::sent(verdict.egress.slot, length);
        let outcome = Outcome::Forward(verdict.egress);
        count::received(slot, length, &outcome);
        return Some(entered(slot, outcome));
    }
    let slot = tables::slot_of(ingress_ifindex)?;
    let (ingress, link) = tables::rows(slot)?;
    let vlan = vlan::classify(&outer, slot, ingress, config);
    let outcome =
        decide(skb, &Question { config, ethernet, key, outer, vlan, slot, ingress, link, now, validity });
    let frame = finish(skb, slot, outcome, config);
    Some(Entered { vlan, outer, cast: ethernet.cast(), ..frame })
}

/// A frame that comes back for the next round of its flood: it was admitted and counted when it came.
#[inline(always)]
fn resume(
    ethernet: &Ethernet,
    outer: Outer,
    slot: Slot,
    (resumed_after, suppress): (u32, bool),
    config: &SwitchConfig,
) -> Option<Entered> {
    let vlan = vlan::classify(&outer, slot, tables::port(u32::from(slot))?, config);
    let outcome = if vlan == vlan::REFUSED {
        // Its port was taken out of the VLAN meanwhile.
        Outcome::Drop(DropReason::Vlan)
    } else if suppress {
        Outcome::FloodKnown
    } else {
        Outcome::Flood
    };
    Some(Entered { slot, vlan, outer, cast: ethernet.cast(), outcome, resumed_after })
}

#[inline(always)]
const fn entered(slot: Slot, outcome: Outcome) -> Entered {
    Entered { slot, vlan: 0, outer: Outer::NONE, cast: Cast::Broadcast, outcome, resumed_after: 0 }
}

#[inline(always)]
fn finish(skb: &Skb, slot: Slot, outcome: Outcome, config: &SwitchConfig) -> Entered {
    count::received(slot, skb.length(), &outcome);
    match outcome {
        Outcome::Forward(egress) => count::sent(egress.slot, skb.length()),
        Outcome::Answer => count::sent(slot, skb.length()),
        Outcome::Drop(reason) => journal::dropped(skb, slot, reason, config),
        Outcome::Flood | Outcome::FloodKnown | Outcome::Local => {}
    }
    entered(slot, outcome)
}

/// The slow path.
#[inline(always)]
fn decide(skb: &Skb, question: &Question<'_>) -> Outcome {
    let Question { config, ethernet, slot, ingress, link, now, vlan, .. } = question;
    if config.mirrors | ingress.mirror_in != 0 {
        mirror::received(skb, ingress, *vlan, config);
    }
    if link.is_shut(*now) {
        return Outcome::Drop(DropReason::Shut);
    }
    if ingress.has(flag::POLICE_IN) && !meter::allows(*slot, MeterKind::PoliceIn, skb.length()) {
        return Outcome::Drop(DropReason::Policed);
    }
    let admitted = admit(ethernet, ingress, config.group_fwd_mask);
    if let Admit::Refuse(reason) = admitted {
        return Outcome::Drop(reason);
    }
    if *vlan == vlan::REFUSED {
        // What is for the host only is of no VLAN; nothing is learned from it then.
        return if matches!(admitted, Admit::Local) {
            Outcome::Local
        } else {
            Outcome::Drop(DropReason::Vlan)
        };
    }
    if config.has(switch_flag::VLAN_STATS) {
        count::vlan_received(*slot, *vlan, skb.length());
    }
    if ingress.flags & (flag::ACL_IN | flag::SPOOF_CHECK) != 0
        && let Err(reason) = policy::enter(skb, *slot, ingress, *vlan)
    {
        return Outcome::Drop(reason);
    }
    let source = FdbKey::new(ethernet.source, *vlan);
    let behind = Behind::port(*slot, ingress, link);
    let must_be_known = ingress.has(flag::LOCKED) && !matches!(admitted, Admit::Local);
    let is_quiet = matches!(admitted, Admit::Local) && config.has(switch_flag::NO_LINKLOCAL_LEARN);
    let learns = learns(ingress) && !is_quiet;
    if learns || must_be_known {
        let entry = tables::fdb_get(source);
        if must_be_known && !is_authorised(entry.as_deref(), behind, *now, config.ageing_jiffies) {
            return Outcome::Drop(DropReason::Locked);
        }
        if learns {
            fdb::learn_source(skb, source, entry, behind, *now, config);
        }
    }
    match admitted {
        Admit::Enter => {}
        Admit::Local => return Outcome::Local,
        Admit::LearnOnly => return Outcome::Drop(DropReason::NotForwarding),
        Admit::Refuse(reason) => return Outcome::Drop(reason),
    }
    if config.has(switch_flag::NEIGH) {
        match neigh::ask(skb, ingress, *vlan) {
            neigh::Question::Other => {}
            neigh::Question::Known => return flooded(skb, question, Outcome::FloodKnown),
            neigh::Question::Answered => return Outcome::Answer,
        }
    }
    if ethernet.destination.is_group() {
        return flooded(skb, question, Outcome::Flood);
    }
    unicast(skb, question)
}

/// A frame without a known destination, if the port may flood one more.
#[inline(always)]
fn flooded(skb: &Skb, question: &Question<'_>, outcome: Outcome) -> Outcome {
    let cast = question.ethernet.cast();
    if question.ingress.has(flag::STORM) && !meter::allows(question.slot, cast.meter(), skb.length()) {
        return Outcome::Drop(DropReason::Storm);
    }
    outcome
}

#[inline(always)]
fn unicast(skb: &Skb, question: &Question<'_>) -> Outcome {
    let Question { config, ethernet, key, outer, vlan, slot, ingress, now, validity, .. } = question;
    let entry = tables::fdb_get(FdbKey::new(ethernet.destination, *vlan)).or_else(|| {
        // The addresses of the ports' own devices are in no VLAN.
        if *vlan == 0 { None } else { tables::fdb_local(ethernet.destination) }
    });
    let rows = match &entry {
        Some(entry) => tables::rows(entry.slot),
        None => None,
    };
    let target = match forward::destination(entry.as_deref(), rows, *now, config.ageing_jiffies) {
        Destination::Unknown => return flooded(skb, question, Outcome::Flood),
        Destination::Host => return Outcome::Local,
        Destination::Port(target) => target,
    };
    let Some((row, _)) = rows else {
        return flooded(skb, question, Outcome::Flood);
    };
    if let Err(reason) = forward::deliver(*slot, ingress, target, row) {
        return Outcome::Drop(reason);
    }
    let retag = match vlan::leave(outer, *vlan, target, row, config) {
        Ok(retag) => retag,
        Err(reason) => return Outcome::Drop(reason),
    };
    let (check, mtu) = helper::check_mtu(skb.raw(), row.ifindex);
    match egress::fits(check, skb.length(), mtu) {
        Ok(()) => {}
        // As after the port is taken out of a bridge.
        Err(DropReason::DeviceGone) => return flooded(skb, question, Outcome::Flood),
        Err(reason) => return Outcome::Drop(reason),
    }
    let redirect = egress::redirect(ethernet.destination, row);
    let egress = Egress { slot: target, ifindex: row.ifindex, redirect, retag };
    let work = work_of(ingress, row, retag, config);
    let verdict = Verdict { ingress: *slot, vlan: *vlan, work, egress };
    cache::keep(key, *validity, &verdict, mtu);
    match leave(skb, outer, &verdict, row, config) {
        Ok(()) => Outcome::Forward(egress),
        Err(reason) => Outcome::Drop(reason),
    }
}

/// What each frame of a flow has to go through although its verdict is known.
#[inline(always)]
fn work_of(ingress: &PortConfig, egress: &PortConfig, retag: Retag, config: &SwitchConfig) -> u8 {
    let bit = |wanted: bool, bit: u8| if wanted { bit } else { 0 };
    bit(ingress.has(flag::POLICE_IN), work::POLICE_IN)
        | bit(egress.has(flag::POLICE_OUT), work::POLICE_OUT)
        | bit(
            ingress.flags & (flag::ACL_IN | flag::SPOOF_CHECK) | egress.flags & flag::ACL_OUT != 0,
            work::POLICY,
        )
        | bit(ingress.mirror_in | egress.mirror_out | config.mirrors != 0, work::MIRROR)
        | bit(!retag.is_keep(), work::RETAG)
        | bit(config.has(switch_flag::VLAN_STATS), work::VLAN_STATS)
}

/// The same as the slow path does for a frame of a plain flow, and in the same order.
#[inline(never)]
fn work_through(
    skb: &Skb,
    outer: &Outer,
    verdict: &Verdict,
    config: &SwitchConfig,
) -> Result<(), DropReason> {
    let ingress = tables::port(u32::from(verdict.ingress)).ok_or(DropReason::Shut)?;
    let egress = tables::port(u32::from(verdict.egress.slot)).ok_or(DropReason::DeviceGone)?;
    if verdict.work & work::MIRROR != 0 {
        mirror::received(skb, ingress, verdict.vlan, config);
    }
    if verdict.work & work::POLICE_IN != 0
        && !meter::allows(verdict.ingress, MeterKind::PoliceIn, skb.length())
    {
        return Err(DropReason::Policed);
    }
    if verdict.work & work::VLAN_STATS != 0 {
        count::vlan_received(verdict.ingress, verdict.vlan, skb.length());
    }
    if verdict.work & work::POLICY != 0 {
        policy::enter(skb, verdict.ingress, ingress, verdict.vlan)?;
    }
    leave(skb, outer, verdict, egress, config)
}

/// What is done at the egress port, before the frame goes.
#[inline(always)]
fn leave(
    skb: &Skb,
    outer: &Outer,
    verdict: &Verdict,
    port: &PortConfig,
    config: &SwitchConfig,
) -> Result<(), DropReason> {
    let Verdict { vlan, work, egress, .. } = verdict;
    if *work == 0 {
        return Ok(());
    }
    if work & work::POLICY != 0 {
        policy::leave(skb, egress.slot, port, *vlan)?;
    }
    if work & work::POLICE_OUT != 0 && !meter::allows(egress.slot, MeterKind::PoliceOut, skb.length()) {
        return Err(DropReason::Policed);
    }
    if work & work::VLAN_STATS != 0 {
        count::vlan_sent(egress.slot, *vlan, skb.length());
    }
    if work & work::RETAG != 0 && !skb.retag(outer, Retag::KEEP, egress.retag) {
        return Err(DropReason::DeviceDown);
    }
    if work & work::MIRROR != 0 {
        mirror::sent(skb, port, *vlan, config);
    }
    Ok(())
}

//! The line for frames without a cached verdict: classify → admit → learn → look up → forward → count.

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
    outcome::{Egress, End, Outcome},
    stage::{
        admit::{Admit, admit, learns},
        egress, forward,
        forward::Destination,
        learn::{Behind, is_authorised},
    },
};

use super::{
    cache::{self, Validity, Verdict},
    count, fdb, flood, guard, helper, journal, meter, mirror, neigh, policy,
    skb::{Outer, Skb},
    tables, vlan, watch,
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
    let slot = tables::slot_of(skb.ingress_ifindex())?;
    let Some(ethernet) = skb.ethernet() else {
        return Some(finish(skb, slot, Outcome::drop(DropReason::Runt), config));
    };
    let outer = vlan::outer(skb, config);
    if let Some(resumption) = flood::resumed(skb) {
        return resume(skb, &ethernet, outer, slot, resumption, config);
    }
    // Read before anything that a verdict depends on: a change during this frame's journey then voids the verdict.
    let validity = Validity::of(config, tables::state()?, now);
    let key = cache::key(skb, &ethernet, outer.tag);
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
    skb: &Skb,
    ethernet: &Ethernet,
    outer: Outer,
    slot: Slot,
    (resumed_after, suppress): (u32, bool),
    config: &SwitchConfig,
) -> Option<Entered> {
    let vlan = vlan::classify(&outer, slot, tables::port(u32::from(slot))?, config);
    let outcome = if vlan == vlan::REFUSED {
        // Its port was taken out of the VLAN meanwhile.
        Outcome::drop(DropReason::Vlan)
    } else if suppress && neigh::ask(skb, slot, vlan) == neigh::ANSWERED {
        Outcome::ANSWER
    } else if suppress {
        Outcome::FLOOD_KNOWN
    } else {
        Outcome::FLOOD
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
    match outcome.end {
        End::Forward => count::sent(outcome.egress.slot, skb.length()),
        End::Drop => journal::dropped(skb, slot, outcome.reason, config),
        End::Flood | End::FloodKnown | End::Answer | End::Local => {}
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
        return Outcome::drop(DropReason::Shut);
    }
    if ingress.flags & (flag::BPDU_GUARD | flag::LOOP_GUARD) != 0 {
        let (to, from) = (ethernet.destination.to_bits(), ethernet.source.to_bits());
        if let Err(reason) = guard::received(skb, u32::from(*slot), to, from, *now) {
            return Outcome::drop(reason);
        }
    }
    if ingress.has(flag::POLICE_IN) && !meter::allows(skb, *slot, MeterKind::PoliceIn) {
        return Outcome::drop(DropReason::Policed);
    }
    let admitted = admit(ethernet, ingress, config.group_fwd_mask);
    if let Admit::Refuse(reason) = admitted {
        return Outcome::drop(reason);
    }
    if *vlan == vlan::REFUSED {
        // What is for the host only is of no VLAN; nothing is learned from it then.
        return if matches!(admitted, Admit::Local) {
            Outcome::LOCAL
        } else {
            Outcome::drop(DropReason::Vlan)
        };
    }
    if config.has(switch_flag::VLAN_STATS) {
        count::vlan_received(*slot, *vlan, skb.length());
    }
    if ingress.flags & (flag::ACL_IN | flag::SPOOF_CHECK) != 0
        && let Err(reason) = policy::enter(skb, *slot, ingress, *vlan)
    {
        return Outcome::drop(reason);
    }
    let source = FdbKey::new(ethernet.source, *vlan);
    let behind = Behind::port(*slot, ingress, link);
    let must_be_known = ingress.has(flag::LOCKED) && !matches!(admitted, Admit::Local);
    let is_quiet = matches!(admitted, Admit::Local) && config.has(switch_flag::NO_LINKLOCAL_LEARN);
    let learns = learns(ingress) && !is_quiet;
    if learns || must_be_known {
        let entry = tables::fdb_get(source);
        if must_be_known && !is_authorised(entry.as_deref(), behind, *now, config.ageing_jiffies) {
            if learns && ingress.has(flag::MAB) {
                fdb::note_locked(skb, source, *slot, *now);
            }
            return Outcome::drop(DropReason::Locked);
        }
        if learns && let Err(reason) = fdb::learn_source(skb, source, entry, behind, *now, config) {
            return Outcome::drop(reason);
        }
    }
    match admitted {
        Admit::Enter => {}
        Admit::Local => return Outcome::LOCAL,
        Admit::LearnOnly => return Outcome::drop(DropReason::NotForwarding),
        Admit::Refuse(reason) => return Outcome::drop(reason),
    }
    if ethernet.destination.is_group() {
        return flooded(skb, question);
    }
    unicast(skb, question)
}

/// A frame without a known destination, if the port may flood one more. Questions are looked at here: one to a station that is
/// known goes there, and is answered there.
#[inline(always)]
fn flooded(skb: &Skb, question: &Question<'_>) -> Outcome {
    let Question { config, ethernet, slot, ingress, vlan, .. } = question;
    let kind = ethernet.cast().meter();
    if ingress.has(flag::STORM) && !meter::allows(skb, *slot, kind) {
        return Outcome::drop(DropReason::Storm);
    }
    if !config.has(switch_flag::NEIGH) {
        return Outcome::FLOOD;
    }
    match neigh::ask(skb, *slot, *vlan) {
        neigh::KNOWN => Outcome::FLOOD_KNOWN,
        neigh::ANSWERED => Outcome::ANSWER,
        _ => Outcome::FLOOD,
    }
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
    let mut target = match forward::destination(entry.as_deref(), rows, *now, config.ageing_jiffies) {
        Destination::Unknown => return flooded(skb, question),
        Destination::Host => return Outcome::LOCAL,
        Destination::Port(target) => target,
    };
    let Some((mut row, link)) = rows else {
        return flooded(skb, question);
    };
    if link.went_down() {
        target = watch::stand_in(target);
        row = match tables::port(u32::from(target)) {
            Some(row) if target != 0 => row,
            Some(_) | None => return Outcome::drop(DropReason::DeviceDown),
        };
        if guard::is_shut(target) {
            return Outcome::drop(DropReason::EgressNotForwarding);
        }
    } else if link.is_shut(*now) {
        return Outcome::drop(DropReason::EgressNotForwarding);
    }
    if let Err(reason) = forward::deliver(*slot, ingress, target, row) {
        return Outcome::drop(reason);
    }
    let retag = match vlan::leave(outer, *vlan, target, row, config) {
        Ok(retag) => retag,
        Err(reason) => return Outcome::drop(reason),
    };
    let (check, mtu) = helper::check_mtu(skb.raw(), row.ifindex);
    match egress::fits(check, skb.length(), mtu) {
        Ok(()) => {}
        // As after the port is taken out of a bridge.
        Err(DropReason::DeviceGone) => return flooded(skb, question),
        Err(reason) => return Outcome::drop(reason),
    }
    let redirect = egress::redirect(ethernet.destination, row);
    let egress = Egress { slot: target, ifindex: row.ifindex, redirect, retag };
    let work = work_of(ingress, row, retag, config);
    let verdict = Verdict { ingress: *slot, vlan: *vlan, work, egress };
    cache::keep(key, *validity, &verdict, mtu);
    match leave(skb, outer, &verdict, row, config) {
        Ok(()) => Outcome::forward(egress),
        Err(reason) => Outcome::drop(reason),
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

/// What is done at the egress port, before the frame goes.
#[inline(always)]
pub fn leave(
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
    if work & work::POLICE_OUT != 0 && !meter::allows(skb, egress.slot, MeterKind::PoliceOut) {
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

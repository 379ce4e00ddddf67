//! Guards shut a port: no frame enters or leaves by it until the time is over, or the user opens it.

use vswitch_common::{
    addr::MacAddr,
    drop::DropReason,
    fdb::{FdbKey, FdbKind},
    link::ShutReason,
    port::{Slot, flag},
};
use vswitch_ebpf::stage::guard::is_bpdu;

use super::{fdb, helper, journal, skb::Skb, tables};

/// Looks at a frame for a port with `guard` or `loop-guard`; shuts the port if it is what the guard is against.
#[inline(never)]
pub fn received(skb: &Skb, slot: u32, destination: u64, source: u64, now: u64) -> Result<(), DropReason> {
    let Some(port) = tables::port(slot) else { return Ok(()) };
    if port.has(flag::BPDU_GUARD) && is_bpdu(MacAddr::from_bits(destination)) {
        shut(skb, slot, ShutReason::Bpdu as u32, now);
        return Err(DropReason::Bpdu);
    }
    if port.has(flag::LOOP_GUARD) && is_ours(MacAddr::from_bits(source)) {
        shut(skb, slot, ShutReason::Loop as u32, now);
        return Err(DropReason::Looped);
    }
    Ok(())
}

/// Whether the address is that of a port's own device, which are in no VLAN.
#[inline(always)]
fn is_ours(source: MacAddr) -> bool {
    match tables::fdb_get(FdbKey::new(source, 0)) {
        Some(entry) if matches!(entry.kind(), FdbKind::Local) => match tables::rows(entry.slot) {
            Some((port, link)) => entry.is_alive(port, link),
            None => false,
        },
        Some(_) | None => false,
    }
}

/// Whether a guard keeps a port shut.
#[inline(always)]
pub fn is_shut(slot: Slot) -> bool {
    match tables::rows(slot) {
        Some((_, link)) => link.shut_reason != 0 && link.is_shut(helper::jiffies()),
        None => false,
    }
}

/// Shuts a port. What was learned behind it is forgotten, as when its device goes down, so that its stations are looked
/// for elsewhere.
#[inline(never)]
pub fn shut(skb: &Skb, slot: u32, reason: u32, now: u64) {
    let (Some(link), Some(config)) = (tables::link_mut(slot), tables::config()) else { return };
    if link.is_shut(now) {
        return;
    }
    let hold = config.hold_jiffies;
    link.shut_until = if hold == 0 { u64::MAX } else { now + u64::from(hold) };
    link.shut_reason = reason as u8;
    link.forget();
    link.moves = 0;
    fdb::void_verdicts();
    journal::shut(skb, slot as Slot, reason as u8, hold / if config.hz == 0 { 1 } else { config.hz }, config);
}

//! The counters: each frame ends in exactly one of its ingress port's.

use vswitch_common::{drop::DropReason, port::Slot, stats::PortStats, vlan::PortVlan};
use vswitch_ebpf::outcome::{End, Outcome};

use super::tables;

const REASON_MASK: usize = DropReason::SLOTS - 1;
const _: () = assert!(DropReason::SLOTS.is_power_of_two());

/// A frame came in by a port and this became of it.
#[inline(always)]
pub fn received(slot: Slot, length: u32, outcome: &Outcome) {
    let Some(stats) = tables::stats(slot) else { return };
    stats.rx_frames += 1;
    stats.rx_bytes += u64::from(length);
    match outcome.end {
        End::Forward => stats.forwarded += 1,
        End::Flood | End::FloodKnown => stats.flooded += 1,
        End::Local => stats.local += 1,
        End::Answer => stats.answered += 1,
        End::Drop => dropped(stats, outcome.reason),
    }
}

/// A frame came in by one port and leaves by another.
#[inline(always)]
pub fn forwarded(ingress: Slot, egress: Slot, length: u32) {
    if let Some(stats) = tables::stats(ingress) {
        stats.rx_frames += 1;
        stats.rx_bytes += u64::from(length);
        stats.forwarded += 1;
    }
    sent(egress, length);
}

/// A frame that was counted as flooded turned out to have nowhere to go.
#[inline(always)]
pub fn flooded_nowhere(slot: Slot) {
    let Some(stats) = tables::stats(slot) else { return };
    stats.flooded = stats.flooded.wrapping_sub(1);
    dropped(stats, DropReason::NoPort);
}

/// A frame or a copy left by a port.
#[inline(always)]
pub fn sent(slot: Slot, length: u32) {
    let Some(stats) = tables::stats(slot) else { return };
    stats.tx_frames += 1;
    stats.tx_bytes += u64::from(length);
}

/// A frame of a VLAN came in by a port.
#[inline(never)]
pub fn vlan_received(slot: Slot, vlan: u16, length: u32) {
    if let Some(stats) = tables::vlan_stats(PortVlan { slot, vlan }) {
        stats.rx_frames += 1;
        stats.rx_bytes += u64::from(length);
    }
}

/// A frame or a copy of a VLAN leaves by a port.
#[inline(never)]
pub fn vlan_sent(slot: Slot, vlan: u16, length: u32) {
    if let Some(stats) = tables::vlan_stats(PortVlan { slot, vlan }) {
        stats.tx_frames += 1;
        stats.tx_bytes += u64::from(length);
    }
}

/// A copy for a mirror session left by a port.
#[inline(always)]
pub fn mirrored(slot: Slot) {
    let Some(stats) = tables::stats(slot) else { return };
    stats.mirrored += 1;
}

/// A copy could not leave by a port.
#[inline(always)]
pub fn not_sent(slot: Slot, reason: DropReason) {
    let Some(stats) = tables::stats(slot) else { return };
    // The mask tells the verifier that the index is in bounds.
    stats.tx_drops[reason as usize & REASON_MASK] += 1;
}

#[inline(always)]
fn dropped(stats: &mut PortStats, reason: DropReason) {
    stats.drops[reason as usize & REASON_MASK] += 1;
}

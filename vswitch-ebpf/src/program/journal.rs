//! Slow-path events, through aya-log. Nothing is said per packet unless the drop level is asked for.

use aya_ebpf::{bindings::__sk_buff, programs::TcContext};
use aya_log_ebpf::{debug, info};
use vswitch_common::{acl::AclKey, addr::MacAddr, config::SwitchConfig, drop::DropReason, port::Slot};

use super::{
    helper,
    skb::Skb,
    tables::{self, TOLD},
};

/// `log::Level::Info`: addresses learned and moved.
const INFO: u8 = 3;
/// `log::Level::Debug`: frames dropped, as well.
const DEBUG: u8 = 4;

/// An address was learned.
#[inline(always)]
pub fn learned(skb: &Skb, mac: MacAddr, slot: Slot, config: &SwitchConfig) {
    if config.log_level >= INFO {
        log_learned(&TcContext::new(skb.raw()), mac, slot);
    }
}

/// An address moved from one port to another.
#[inline(always)]
pub fn moved(skb: &Skb, mac: MacAddr, from: Slot, to: Slot, config: &SwitchConfig) {
    if config.log_level >= INFO {
        log_moved(&TcContext::new(skb.raw()), mac, from, to);
    }
}

/// An address begins to move more often than the guard of a port allows.
#[inline(always)]
pub fn flapping(skb: &Skb, mac: MacAddr, from: Slot, to: Slot, config: &SwitchConfig) {
    if config.log_level >= INFO {
        log_flapping(&TcContext::new(skb.raw()), mac, from, to);
    }
}

/// A guard has shut a port.
#[inline(always)]
pub fn shut(skb: &Skb, slot: Slot, reason: u8, seconds: u32, config: &SwitchConfig) {
    if config.log_level >= INFO {
        log_shut(&TcContext::new(skb.raw()), slot, reason, seconds);
    }
}

/// A frame was dropped.
#[inline(always)]
pub fn dropped(skb: &Skb, slot: Slot, reason: DropReason, config: &SwitchConfig) {
    if config.log_level >= DEBUG {
        log_dropped(&TcContext::new(skb.raw()), slot, reason as u8);
    }
}

/// Whether somebody listens to what rules have to tell.
#[inline(always)]
pub fn tells(config: &SwitchConfig) -> bool {
    config.log_level >= INFO
}

/// Tells about the rules of the scratch row, which matched the frame in it. Global, so that it is verified once.
#[inline(never)]
#[unsafe(no_mangle)]
pub extern "C" fn vswitch_ruled(raw: *mut __sk_buff) -> u32 {
    let told = match tables::acl_scratch() {
        Some(scratch) => scratch.told,
        None => 0,
    };
    let mut skb = raw;
    helper::repeat(told, log_ruled, &mut skb);
    told
}

// Out of line: the records are built on the stack, which is 512 bytes for all functions in a chain of calls.

#[inline(never)]
fn log_learned(ctx: &TcContext, mac: MacAddr, slot: Slot) {
    info!(ctx, "learned {:mac} {}", mac.octets(), slot);
}

#[inline(never)]
fn log_moved(ctx: &TcContext, mac: MacAddr, from: Slot, to: Slot) {
    info!(ctx, "moved {:mac} {} {}", mac.octets(), from, to);
}

#[inline(never)]
fn log_flapping(ctx: &TcContext, mac: MacAddr, from: Slot, to: Slot) {
    info!(ctx, "flapping {:mac} {} {}", mac.octets(), from, to);
}

#[inline(never)]
fn log_shut(ctx: &TcContext, slot: Slot, reason: u8, seconds: u32) {
    info!(ctx, "shut {} {} {}", slot, reason, seconds);
}

#[inline(never)]
fn log_dropped(ctx: &TcContext, slot: Slot, reason: u8) {
    debug!(ctx, "dropped {} {}", slot, reason);
}

/// The headers go as they are in [`vswitch_common::acl::AclKey`]; who listens takes them apart.
unsafe extern "C" fn log_ruled(index: u64, skb: *mut *mut __sk_buff) -> i64 {
    let Some(scratch) = tables::acl_scratch() else {
        return 1;
    };
    // SAFETY: `ruled` passes a live pointer to the program's context.
    let ctx = TcContext::new(unsafe { *skb });
    let rule = scratch.tell[index as usize & (TOLD - 1)];
    // SAFETY: any integers are bytes.
    let headers: &[u8; size_of::<AclKey>()] = unsafe { &*(&raw const scratch.key).cast() };
    info!(&ctx, "ruled {} {:x}", rule, headers);
    0
}

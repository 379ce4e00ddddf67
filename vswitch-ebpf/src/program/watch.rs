//! Ports whose device goes down, noticed in the kernel at the moment in which it happens; and up again, asked for when
//! a frame is to leave by one.

use aya_ebpf::{Global, programs::RawTracePointContext};
use vswitch_common::{link::DeviceLayout, port::Slot};

use super::{fdb, helper, tables};

/// `IFF_UP` of `linux/if.h`.
const UP: u32 = 1;
/// `__LINK_STATE_START` of `linux/netdevice.h`, as a mask: the device is open.
const OPEN: u64 = 1;
/// `__LINK_STATE_NOCARRIER` of `linux/netdevice.h`, as a mask.
const NO_CARRIER: u64 = 1 << 2;

/// Set by the controller when it loads the program.
#[unsafe(no_mangle)]
static DEVICE_LAYOUT: Global<DeviceLayout> = Global::new(DeviceLayout {
    ifindex: 0,
    flags: 0,
    state: 0,
    net: 0,
    net_cookie: 0,
    queue: 0,
    queue_device: 0,
});

/// A queue of a device is emptied: because the device goes down or loses its carrier, or because somebody changes the
/// queue. If it is a port's, and it is down, then all that ages behind it is forgotten, as in `br_stp_disable_port` of the
/// Linux bridge; not if another port takes over, so that its frames know where to go.
#[inline(always)]
pub fn queue_emptied(ctx: &RawTracePointContext) {
    if let Some(device) = device_of(ctx.arg(0))
        && let Some((slot, true)) = port(device)
        && let Some(row) = tables::port(u32::from(slot))
        && let Some(link) = tables::link_mut(u32::from(slot))
    {
        link.go_down(device, row.backup == 0);
        fdb::void_verdicts();
    }
}

/// The port by which a frame leaves that was to leave by `slot`: that port if its device is up, else the port that takes
/// over for it, as in `br_forward` of the Linux bridge; 0 if that is down as well, or there is none.
#[inline(never)]
pub fn stand_in(slot: Slot) -> Slot {
    if !is_down(slot) {
        return slot;
    }
    match tables::port(u32::from(slot)) {
        Some(row) if row.backup != 0 && !is_down(row.backup) => row.backup,
        Some(_) | None => 0,
    }
}

/// Whether the device of a port is down. Only one that went down is asked: its memory may be another device's by now, or
/// nobody's, so it must be the port's own still. If that is more than can be known, the device counts as up.
#[inline(never)]
pub fn is_down(slot: Slot) -> bool {
    let Some(link) = tables::link_mut(u32::from(slot)) else {
        return false;
    };
    let downs = link.downs;
    // The first comparison is decided when the program is loaded: a kernel that lets nobody read its memory need not know
    // that we would.
    if DEVICE_LAYOUT.load().ifindex != 0 && link.went_down() && is_port_down(link.device, slot) {
        return true;
    }
    link.ups = downs;
    false
}

#[inline(always)]
fn is_port_down(device: u64, slot: Slot) -> bool {
    match port(device) {
        Some((found, is_down)) => found == slot && is_down,
        None => false,
    }
}

/// The device of a queue.
#[inline(always)]
fn device_of(qdisc: u64) -> Option<u64> {
    let layout = DEVICE_LAYOUT.load();
    let queue: u64 = helper::kernel_memory(qdisc.wrapping_add(u64::from(layout.queue)))?;
    helper::kernel_memory(queue.wrapping_add(u64::from(layout.queue_device)))
}

/// The port of a device, and whether that is down or has no carrier.
#[inline(always)]
fn port(device: u64) -> Option<(Slot, bool)> {
    let layout = DEVICE_LAYOUT.load();
    let field = |offset: u32| device.wrapping_add(u64::from(offset));
    let slot = tables::slot_of(helper::kernel_memory(field(layout.ifindex))?)?;
    // Interface indices are unique in their namespace only.
    let net: u64 = helper::kernel_memory(field(layout.net))?;
    let cookie: u64 = helper::kernel_memory(net.wrapping_add(u64::from(layout.net_cookie)))?;
    if cookie != tables::config()?.netns_cookie {
        return None;
    }
    let flags: u32 = helper::kernel_memory(field(layout.flags))?;
    let state: u64 = helper::kernel_memory(field(layout.state))?;
    Some((slot, flags & UP == 0 || state & (OPEN | NO_CARRIER) != OPEN))
}

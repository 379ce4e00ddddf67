//! Ports whose device goes down, noticed in the kernel at the moment in which it happens.

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
/// Linux bridge. Coming up needs no notice: what is learned from now on is of the new epoch.
#[inline(always)]
pub fn queue_emptied(ctx: &RawTracePointContext) {
    if let Some(device) = device_of(ctx.arg(0))
        && let Some((slot, true)) = port(device)
        && let Some(link) = tables::link_mut(u32::from(slot))
    {
        *link = link.went_down();
        fdb::void_verdicts();
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

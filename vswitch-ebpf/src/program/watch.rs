//! The state of the ports' devices, noticed in the kernel at the moment in which it announces it to everybody.

use aya_ebpf::{Global, programs::FEntryContext};
use vswitch_common::{link::DeviceLayout, port::Slot};

use super::{fdb, helper, tables};

/// `IFF_UP` of `linux/if.h`.
const UP: u32 = 1;
/// `__LINK_STATE_NOCARRIER` of `linux/netdevice.h`, as a mask.
const NO_CARRIER: u64 = 1 << 2;
/// Place of the device among the arguments of `rtmsg_ifinfo`.
const DEVICE: u32 = 1;

/// Set by the controller when it loads the program.
#[unsafe(no_mangle)]
static DEVICE_LAYOUT: Global<DeviceLayout> = Global::new(DeviceLayout {
    ifindex: 0,
    flags: 0,
    state: 0,
    net: 0,
    net_cookie: 0,
});

/// A link is announced. If it is a port's, and it went down, then all that ages behind it is forgotten, as in
/// `br_stp_disable_port` of the Linux bridge.
#[inline(always)]
pub fn announced(ctx: &FEntryContext) {
    if let Some((slot, down)) = port(ctx)
        && let Some(link) = tables::link_mut(u32::from(slot))
        && let Some(changed) = link.announced(down)
    {
        // Announcements of one device come one after the other, under its lock.
        *link = changed;
        fdb::void_verdicts();
    }
}

/// The port that is announced, and whether its device is down or has no carrier.
#[inline(always)]
fn port(ctx: &FEntryContext) -> Option<(Slot, bool)> {
    let layout = DEVICE_LAYOUT.load();
    let device = helper::argument(ctx, DEVICE)?;
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
    Some((slot, flags & UP == 0 || state & NO_CARRIER != 0))
}

//! Copies for mirror sessions.
//!
//! A whole copy goes to the session's port at once. A shorter one takes a detour, because a classifier can cut the frame
//! itself only, which has yet to be sent: a copy with a note arrives at the session's port, as the rounds of a flood do, and
//! is cut and sent when the program sees it there.

use aya_ebpf::bindings::{__sk_buff, TC_ACT_SHOT};
use vswitch_common::{
    config::SwitchConfig,
    drop::DropReason,
    map::MIRROR_SESSIONS,
    meter::MeterKind,
    mirror::direction,
    port::{PortConfig, PortState, Slot, flag},
};
use vswitch_ebpf::{
    frame::Frame as _,
    stage::egress::{fits, snap},
};

use super::{
    count, helper, meter,
    skb::{OUR_MARK, Skb},
    tables,
};

/// The bits of a note that tell what it is: a copy on its detour has the lower one, without that of a flood's rounds.
const KIND: u32 = 0xc000;
const COPY: u32 = 0x4000;
/// What the kernel needs of a frame whose checksum is not computed yet: all headers, with all their options.
const HEADERS: u32 = 160;

const _: () = assert!(MIRROR_SESSIONS.is_power_of_two());

/// A frame came in by a port.
#[inline(always)]
pub fn received(skb: &Skb, port: &PortConfig, vlan: u16, config: &SwitchConfig) {
    let sessions = port.mirror_in | config.mirrors;
    vswitch_mirror(skb.raw(), u32::from(sessions), u32::from(direction::IN), u32::from(vlan), port.ifindex);
}

/// A frame, with the tag that it leaves with, leaves by a port.
#[inline(always)]
pub fn sent(skb: &Skb, port: &PortConfig, vlan: u16, config: &SwitchConfig) {
    let sessions = port.mirror_out | config.mirrors;
    vswitch_mirror(skb.raw(), u32::from(sessions), u32::from(direction::OUT), u32::from(vlan), port.ifindex);
}

/// What the loop over the sessions carries.
struct Frame {
    skb: *mut __sk_buff,
    sessions: u32,
    ifindex: u32,
    vlan: u16,
    direction: u8,
}

/// A global function, as [`meter`]'s; the verifier allows only those that return a number.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn vswitch_mirror(
    skb: *mut __sk_buff,
    sessions: u32,
    direction: u32,
    vlan: u32,
    ifindex: u32,
) -> u32 {
    let mut frame = Frame { skb, sessions, ifindex, vlan: vlan as u16, direction: direction as u8 };
    // A loop of the kernel's: of one written out, the verifier would walk each way through each round.
    helper::repeat(MIRROR_SESSIONS, visit, &mut frame);
    0
}

unsafe extern "C" fn visit(index: u64, frame: *mut Frame) -> i64 {
    // SAFETY: `vswitch_mirror` passes a live `Frame`, and the loop calls this function on one CPU, one step after the other.
    let frame = unsafe { &*frame };
    let index = index as u32 & (MIRROR_SESSIONS - 1);
    if frame.sessions & (1 << index) != 0 {
        copy(frame.skb, index, frame.direction, frame.vlan, frame.ifindex);
    }
    0
}

/// One copy for one session, if the frame is one of its frames.
#[inline(always)]
fn copy(skb: *mut __sk_buff, index: u32, direction: u8, vlan: u16, ifindex: u32) {
    let Some(session) = tables::mirror(index) else { return };
    // What came by the session's own port is not sent back there.
    if !session.takes(ifindex, vlan, direction) || session.ifindex == Skb::new(skb).ingress_ifindex() {
        return;
    }
    if session.sampling > 1 && helper::random() % session.sampling != 0 {
        return;
    }
    let Some(port) = tables::port(u32::from(session.slot)) else { return };
    // A port that only gets copies is best blocked, so that it takes no part otherwise.
    if port.ifindex != session.ifindex || matches!(port.state(), PortState::Disabled | PortState::Gone) {
        count::not_sent(session.slot, DropReason::EgressNotForwarding);
    } else if session.snap_length != 0 {
        if !detour(&Skb::new(skb), index, session.ifindex) {
            count::not_sent(session.slot, DropReason::DeviceDown);
        }
    } else if may_leave(skb, session.slot, port) {
        if helper::clone_redirect(skb, session.ifindex) {
            count::mirrored(session.slot);
        } else {
            count::not_sent(session.slot, DropReason::DeviceDown);
        }
    }
}

/// Whether a copy suits the session's port; if not, that is counted.
#[inline(always)]
fn may_leave(skb: *mut __sk_buff, slot: Slot, port: &PortConfig) -> bool {
    let (check, mtu) = helper::check_mtu(skb, port.ifindex);
    let skb = Skb::new(skb);
    if let Err(reason) = fits(check, skb.length(), mtu) {
        count::not_sent(slot, reason);
        return false;
    }
    if port.has(flag::POLICE_OUT) && !meter::allows(&skb, slot, MeterKind::PoliceOut) {
        count::not_sent(slot, DropReason::Policed);
        return false;
    }
    true
}

/// Lets a copy arrive at the session's port, where the program cuts it.
#[inline(always)]
fn detour(skb: &Skb, index: u32, ifindex: u32) -> bool {
    let (note, mark) = (skb.note(), skb.mark());
    skb.set_note(COPY | index);
    skb.set_mark(OUR_MARK);
    let arrives = helper::clone_redirect_ingress(skb.raw(), ifindex);
    skb.set_note(note);
    skb.set_mark(mark);
    arrives
}

/// Whether this frame is a copy on its detour.
#[inline(always)]
pub fn is_copy(skb: &Skb) -> bool {
    skb.note() & KIND == COPY && skb.is_ours()
}

/// Cuts a copy that took the detour, and gives the program's verdict.
#[inline(always)]
pub fn cut(skb: &Skb) -> i32 {
    vswitch_cut(skb.raw())
}

#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn vswitch_cut(skb: *mut __sk_buff) -> i32 {
    let frame = Skb::new(skb);
    let index = frame.note() & (MIRROR_SESSIONS - 1);
    frame.set_note(0);
    frame.set_mark(0);
    let Some(session) = tables::mirror(index) else { return TC_ACT_SHOT };
    let Some(port) = tables::port(u32::from(session.slot)) else { return TC_ACT_SHOT };
    // The session may have ended on the way.
    if session.ifindex != frame.ingress_ifindex() || port.ifindex != session.ifindex {
        return TC_ACT_SHOT;
    }
    let length = snap(session.snap_length, frame.length(), frame.has_tag_beside());
    if length < frame.length() && !helper::cut(skb, length) {
        // The kernel holds on to the headers of a frame whose checksum is not computed yet.
        let headers = if length < HEADERS { HEADERS } else { length };
        if headers < frame.length() && !helper::cut(skb, headers) {
            count::not_sent(session.slot, DropReason::DeviceDown);
            return TC_ACT_SHOT;
        }
    }
    if !may_leave(skb, session.slot, port) {
        return TC_ACT_SHOT;
    }
    count::mirrored(session.slot);
    helper::redirect(session.ifindex)
}

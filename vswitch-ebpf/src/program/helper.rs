//! Every BPF helper that the switch calls, wrapped once.

use aya_ebpf::{bindings::__sk_buff, helpers::generated};
use vswitch_ebpf::stage::egress::MtuCheck;

const BPF_MTU_CHK_SEGS: u64 = 1;
const BPF_F_INGRESS: u64 = 1;
const BPF_F_RECOMPUTE_CSUM: u64 = 1;
const FRAG_NEEDED: i64 = 1;
const SEGS_TOOBIG: i64 = 2;
/// `-ENODEV`.
const NO_DEVICE: i64 = -19;
/// `PACKET_HOST` of `linux/if_packet.h`.
const PACKET_HOST: u32 = 0;

/// The kernel's tick counter (Linux 5.6): 15 ns cheaper than any clock, and fine enough for ageing.
#[inline(always)]
pub fn jiffies() -> u64 {
    // SAFETY: the helper has no arguments and only reads.
    unsafe { generated::bpf_jiffies64() }
}

/// Sends the frame out of a device when the program returns.
#[inline(always)]
pub fn redirect(ifindex: u32) -> i32 {
    // SAFETY: any number is allowed; an unknown device drops the frame.
    unsafe { generated::bpf_redirect(ifindex, 0) as i32 }
}

/// Lets the frame arrive once more at a device of this namespace, behind all that waits already.
#[inline(always)]
pub fn redirect_ingress(ifindex: u32) -> i32 {
    // SAFETY: as for `redirect`.
    unsafe { generated::bpf_redirect(ifindex, BPF_F_INGRESS) as i32 }
}

/// Lets the frame arrive at the device's peer in another namespace when the program returns (Linux 5.10).
#[inline(always)]
pub fn redirect_peer(ifindex: u32) -> i32 {
    // SAFETY: as for `redirect`.
    unsafe { generated::bpf_redirect_peer(ifindex, 0) as i32 }
}

/// Sends a copy out of a device at once; `false` if the device refused it. Packet pointers are void afterwards.
#[inline(always)]
pub fn clone_redirect(skb: *mut __sk_buff, ifindex: u32) -> bool {
    // SAFETY: `skb` is the program's context.
    unsafe { generated::bpf_clone_redirect(skb, ifindex, 0) == 0 }
}

/// Declares the frame addressed to the receiving host.
#[inline(always)]
pub fn to_host(skb: *mut __sk_buff) {
    // SAFETY: `skb` is the program's context. It can only fail for packet types that a received frame does not have.
    unsafe {
        generated::bpf_skb_change_type(skb, PACKET_HOST);
    }
}

/// Takes the outer VLAN tag off, wherever the kernel keeps it; `false` if there is no memory. Packet pointers are void
/// afterwards.
#[inline(always)]
pub fn vlan_pop(skb: *mut __sk_buff) -> bool {
    // SAFETY: `skb` is the program's context.
    unsafe { generated::bpf_skb_vlan_pop(skb) == 0 }
}

/// Puts a VLAN tag on, outside of those that the frame has; `false` if there is no memory. Packet pointers are void
/// afterwards.
#[inline(always)]
pub fn vlan_push(skb: *mut __sk_buff, protocol: u16, control: u16) -> bool {
    // SAFETY: `skb` is the program's context.
    unsafe { generated::bpf_skb_vlan_push(skb, protocol.to_be(), control) == 0 }
}

/// Compares the frame, or the segments that it stands for, with the MTU of a device (Linux 5.12). The MTU is that of
/// this very moment, so nobody need tell the switch when it changes, and so is the device's existence.
#[inline(always)]
pub fn check_mtu(skb: *mut __sk_buff, ifindex: u32) -> (MtuCheck, u32) {
    let mut mtu = 0u32;
    // SAFETY: `skb` is the program's context, `mtu` outlives the call.
    let verdict =
        unsafe { generated::bpf_check_mtu(skb.cast(), ifindex, &mut mtu, 0, BPF_MTU_CHK_SEGS) } as i64;
    let check = match verdict {
        0 => MtuCheck::Fits,
        FRAG_NEEDED => MtuCheck::TooLong,
        SEGS_TOOBIG => MtuCheck::SegmentTooLong,
        NO_DEVICE => MtuCheck::NoDevice,
        // The kernel will not say; the device itself refuses what it cannot carry. With an MTU of 0 nothing is cached.
        _ => MtuCheck::Fits,
    };
    (check, mtu)
}

/// Calls `step(0..count, context)` until it returns non-zero (Linux 5.17).
#[inline(always)]
pub fn repeat<T>(count: u32, step: unsafe extern "C" fn(u64, *mut T) -> i64, context: &mut T) {
    // SAFETY: `step` expects exactly this context, which outlives the call.
    unsafe {
        generated::bpf_loop(count, step as *mut core::ffi::c_void, core::ptr::from_mut(context).cast(), 0);
    }
}

/// Reads a part of the frame, wherever the kernel keeps it; `false` if the frame ends before.
#[inline(always)]
pub fn load<const N: usize>(skb: *mut __sk_buff, from: usize, to: &mut [u8; N]) -> bool {
    // SAFETY: `skb` is the program's context; the helper writes exactly the length of `to`.
    unsafe { generated::bpf_skb_load_bytes(skb.cast(), from as u32, to.as_mut_ptr().cast(), N as u32) == 0 }
}

/// Writes a part of the frame; `false` if it ends before, or there is no memory. Packet pointers are void afterwards.
#[inline(always)]
pub fn store<const N: usize>(skb: *mut __sk_buff, from: usize, part: &[u8; N]) -> bool {
    // SAFETY: `skb` is the program's context; the helper reads exactly the length of `part`.
    unsafe {
        generated::bpf_skb_store_bytes(skb, from as u32, part.as_ptr().cast(), N as u32, BPF_F_RECOMPUTE_CSUM)
            == 0
    }
}

/// Cuts the frame, or fills it with zeroes, to a length; `false` if there is no memory. Packet pointers are void afterwards.
#[inline(always)]
pub fn set_length(skb: *mut __sk_buff, length: usize) -> bool {
    // SAFETY: `skb` is the program's context.
    unsafe { generated::bpf_skb_change_tail(skb, length as u32, 0) == 0 }
}

/// Copies `N` bytes of the frame, wherever the kernel keeps them; `false` if it does not have that many.
#[inline(always)]
pub fn load_bytes<const N: usize, const ROOM: usize>(
    skb: *mut __sk_buff,
    offset: u32,
    to: &mut [u8; ROOM],
) -> bool {
    const { assert!(N <= ROOM) };
    // SAFETY: `skb` is the program's context; the helper writes `N` bytes, which fit: what it read, or zeroes.
    unsafe { generated::bpf_skb_load_bytes(skb.cast(), offset, to.as_mut_ptr().cast(), N as u32) == 0 }
}

/// Reads the kernel's memory; `None` if there is none at that address. `T` is an integer.
#[inline(always)]
pub fn kernel_memory<T: Copy + Default>(address: u64) -> Option<T> {
    let mut value = T::default();
    let to = core::ptr::from_mut(&mut value).cast();
    // SAFETY: the helper writes exactly the size of `value`; it checks the address that it reads.
    let verdict = unsafe {
        generated::bpf_probe_read_kernel(to, size_of::<T>() as u32, address as *const core::ffi::c_void)
    };
    (verdict == 0).then_some(value)
}

/// Adds to a word that other CPUs add to as well, and returns what it was (Linux 5.12).
///
/// `core` has no such operation for this target, whose oldest version lacks the instruction.
#[inline(always)]
pub fn fetch_add(word: &mut u64, value: u64) -> u64 {
    let mut value = value;
    // SAFETY: `word` is valid and aligned; the instruction touches nothing else.
    unsafe {
        core::arch::asm!(
            "{value} = atomic_fetch_add((u64 *)({word} + 0), {value})",
            word = in(reg) core::ptr::from_mut(word),
            value = inout(reg) value,
            options(nostack),
        );
    }
    value
}

/// Replaces a word by `new` if it still is `old`, and returns what it was (Linux 5.12). As for [`fetch_add`], `core` has
/// no such operation.
#[inline(always)]
pub fn compare_exchange(word: &mut u64, old: u64, new: u64) -> u64 {
    let mut found = old;
    // SAFETY: `word` is valid and aligned; the instruction touches nothing else.
    unsafe {
        core::arch::asm!(
            "r0 = cmpxchg_64({word} + 0, r0, {new})",
            word = in(reg) core::ptr::from_mut(word),
            new = in(reg) new,
            inout("r0") found,
            options(nostack),
        );
    }
    found
}

/// `CLOCK_MONOTONIC` in nanoseconds: 20 ns dearer than [`jiffies`], so only for who must know exactly.
#[inline(always)]
pub fn nanoseconds() -> u64 {
    // SAFETY: the helper has no arguments and only reads.
    unsafe { generated::bpf_ktime_get_ns() }
}

/// A random number.
#[inline(always)]
pub fn random() -> u32 {
    // SAFETY: the helper has no arguments.
    unsafe { generated::bpf_get_prandom_u32() }
}

/// Reads bytes of the frame wherever the kernel keeps them; zeroes if the frame ends before.
#[inline(always)]
pub fn bytes<const N: usize>(skb: *mut __sk_buff, offset: u32) -> [u8; N] {
    let mut bytes = [0; N];
    // SAFETY: `skb` is the program's context; the helper writes exactly the size of `bytes`, zeroes if it fails.
    unsafe { generated::bpf_skb_load_bytes(skb.cast(), offset, bytes.as_mut_ptr().cast(), N as u32) };
    bytes
}

/// Lets a copy arrive at a device of this namespace at once, behind all that waits already; `false` if the device is down.
/// Packet pointers are void afterwards.
#[inline(always)]
pub fn clone_redirect_ingress(skb: *mut __sk_buff, ifindex: u32) -> bool {
    // SAFETY: `skb` is the program's context.
    unsafe { generated::bpf_clone_redirect(skb, ifindex, BPF_F_INGRESS) == 0 }
}

/// Cuts the frame to a length; `false` if the kernel's own notes on it say that it must be longer. An aggregate is none
/// afterwards. Packet pointers are void afterwards.
#[inline(always)]
pub fn cut(skb: *mut __sk_buff, length: u32) -> bool {
    // SAFETY: `skb` is the program's context.
    unsafe { generated::bpf_skb_change_tail(skb, length, 0) == 0 }
}

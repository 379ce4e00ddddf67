//! The BPF object: thin entries on top of the stages of this package's library.
//!
//! It is built by `cargo xtask build` for `bpfel-unknown-none`; for the host this is an empty program, so that the
//! workspace builds everywhere.
#![cfg_attr(target_arch = "bpf", no_std, no_main, feature(asm_experimental_arch))]

#[cfg(target_arch = "bpf")]
mod program;

#[cfg(target_arch = "bpf")]
mod entry {
    use aya_ebpf::{
        bindings::{__sk_buff, TC_ACT_SHOT, TC_ACT_UNSPEC},
        macros::{classifier, raw_tracepoint},
        programs::{RawTracePointContext, TcContext},
    };
    use vswitch_ebpf::outcome::End;

    use crate::program::{cached, clock, flood, mirror, pipeline, skb::Skb, sweep, watch};

    /// The complete switch: tcx ingress of every port. Each outcome has one line here.
    #[classifier]
    pub fn vswitch_tc(ctx: TcContext) -> i32 {
        let skb = Skb::new(ctx.skb.skb);
        match cached::forward(&skb) {
            cached::UNKNOWN => decide(&skb),
            action => action,
        }
    }

    /// The long way, out of line: the short one must not pay for its registers and stack.
    #[inline(never)]
    fn decide(skb: &Skb) -> i32 {
        if mirror::is_copy(skb) {
            return mirror::cut(skb);
        }
        let Some(frame) = pipeline::enter(skb) else {
            // Not a port of this switch (any more): the frame belongs to the host.
            return TC_ACT_UNSPEC;
        };
        match frame.outcome.end {
            End::Forward => skb.leave(&frame.outcome.egress),
            End::Flood | End::FloodKnown | End::Answer => flood::flood(skb, &frame),
            // Further programs on the port may have their say, then the host's stack.
            End::Local => TC_ACT_UNSPEC,
            End::Drop => TC_ACT_SHOT,
        }
    }

    /// Notes the kernel's jiffies for the controller, which has no other way to know them. Only ever test-run.
    #[classifier]
    pub fn vswitch_clock(_ctx: TcContext) -> i32 {
        clock::note();
        TC_ACT_UNSPEC
    }

    /// Changes what only programs write, for the controller. Only ever test-run.
    #[classifier]
    pub fn vswitch_sweep(ctx: TcContext) -> i32 {
        sweep::answer(ctx.skb.skb) as i32
    }

    /// Notices when the device of a port goes down: the queues of such a device are emptied.
    #[raw_tracepoint(tracepoint = "qdisc_reset")]
    pub fn vswitch_watch(ctx: RawTracePointContext) -> i32 {
        watch::queue_emptied(&ctx);
        0
    }

    #[panic_handler]
    fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
        // The program has no panicking path; the verifier would refuse the endless loop if it were reachable.
        loop {}
    }

    /// Some helpers (`bpf_redirect_peer` among them) are for GPL-compatible programs only.
    #[unsafe(link_section = "license")]
    #[unsafe(no_mangle)]
    static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

    const _: () = assert!(size_of::<*mut __sk_buff>() == 8);
}

#[cfg(not(target_arch = "bpf"))]
fn main() {}

//! A frame in tc.

use aya_ebpf::bindings::__sk_buff;
use vswitch_common::{addr::MacAddr, port::Redirect};
use vswitch_ebpf::{
    frame::{Ethernet, Frame, HEADER_LEN},
    outcome::Egress,
};

use super::helper;

/// `PACKET_OTHERHOST` of `linux/if_packet.h`.
const PACKET_OTHERHOST: u32 = 3;

/// The program's context.
pub struct Skb {
    raw: *mut __sk_buff,
}

impl Skb {
    #[inline(always)]
    pub fn new(raw: *mut __sk_buff) -> Self {
        Self { raw }
    }

    #[inline(always)]
    pub fn raw(&self) -> *mut __sk_buff {
        self.raw
    }

    /// A number that classifiers may leave on a frame, and that no sender can write.
    #[inline(always)]
    pub fn note(&self) -> u32 {
        // SAFETY: `raw` is the program's context.
        unsafe { (*self.raw).tc_index }
    }

    /// Sets it; 16 bits are kept.
    #[inline(always)]
    pub fn set_note(&self, note: u32) {
        // SAFETY: `raw` is the program's context; a classifier may write this field.
        unsafe { (*self.raw).tc_index = note }
    }

    /// Sends the frame out of a port.
    #[inline(always)]
    pub fn redirect(&self, egress: &Egress) -> i32 {
        match egress.redirect {
            Redirect::Dev => helper::redirect(egress.ifindex),
            Redirect::Peer => {
                // What the way through the device would do (`__dev_forward_skb` in Linux): a mark is the sending
                // namespace's own business, and the frame, which was no business of the port device's own stack,
                // is the receiver's. Kernels from 6.15 do both themselves.
                // SAFETY: `raw` is the program's context; both fields may be accessed by a classifier.
                unsafe {
                    (*self.raw).mark = 0;
                    if (*self.raw).pkt_type == PACKET_OTHERHOST {
                        helper::to_host(self.raw);
                    }
                }
                helper::redirect_peer(egress.ifindex)
            }
        }
    }
}

impl Frame for Skb {
    #[inline(always)]
    fn ethernet(&self) -> Option<Ethernet> {
        // SAFETY: `raw` is the program's context. The packet is read only after the comparison with its end, which the
        // verifier checks. The loads are wider than the packet's alignment: the verifier allows that where the machine
        // does (all with an efficient unaligned access), and it saves taking each address apart.
        unsafe {
            let start = (*self.raw).data as usize;
            let end = (*self.raw).data_end as usize;
            if start + HEADER_LEN as usize > end {
                return None;
            }
            let destination_low = u64::from((start as *const u32).read_volatile());
            let destination_high = u64::from(((start + 4) as *const u16).read_volatile());
            let source_low = u64::from(((start + 6) as *const u16).read_volatile());
            let source_high = u64::from(((start + 8) as *const u32).read_volatile());
            Some(Ethernet {
                destination: MacAddr::from_bits(destination_low | destination_high << 32),
                source: MacAddr::from_bits(source_low | source_high << 16),
            })
        }
    }

    #[inline(always)]
    fn length(&self) -> u32 {
        // SAFETY: `raw` is the program's context.
        unsafe { (*self.raw).len }
    }

    #[inline(always)]
    fn ingress_ifindex(&self) -> u32 {
        // SAFETY: `raw` is the program's context.
        unsafe { (*self.raw).ifindex }
    }
}

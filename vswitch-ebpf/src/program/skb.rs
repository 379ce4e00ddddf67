//! A frame in tc.

use aya_ebpf::bindings::__sk_buff;
use vswitch_common::{
    addr::MacAddr,
    port::Redirect,
    vlan::{Retag, Tag, VID_MASK, is_tag},
};
use vswitch_ebpf::{
    frame::{Ethernet, Frame, HEADER_LEN},
    outcome::Egress,
    stage::headers::{Bytes, Chunk},
};

use super::helper;

/// `PACKET_OTHERHOST` of `linux/if_packet.h`.
const PACKET_OTHERHOST: u32 = 3;

/// The mark of frames that come back with a note. No other namespace can set it, since it is taken off a frame that comes
/// from one; a note alone is not (`skb_scrub_packet` in Linux), and a privileged sender could forge it.
pub const OUR_MARK: u32 = 0x7653_7769;

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

    /// The ethertype behind the tag that the kernel keeps beside the frame, if there is one of this protocol or none.
    #[inline(always)]
    pub fn ethertype(&self, protocol: u16) -> Option<u16> {
        // SAFETY: `raw` is the program's context.
        unsafe {
            if (*self.raw).vlan_present != 0 && (*self.raw).vlan_proto != u32::from(protocol.to_be()) {
                return None;
            }
            Some(u16::from_be((*self.raw).protocol as u16))
        }
    }

    /// A number that the namespace in which the frame is may leave on it; taken off when it goes to another one.
    #[inline(always)]
    pub fn mark(&self) -> u32 {
        // SAFETY: `raw` is the program's context.
        unsafe { (*self.raw).mark }
    }

    /// Whether it was this program that sent the frame round once more, so that its note can be believed.
    #[inline(always)]
    pub fn is_ours(&self) -> bool {
        self.mark() == OUR_MARK
    }

    /// Sets it.
    #[inline(always)]
    pub fn set_mark(&self, mark: u32) {
        // SAFETY: `raw` is the program's context; a classifier may write this field.
        unsafe { (*self.raw).mark = mark }
    }

    /// Whether the kernel keeps a tag beside the frame, not counted in its length.
    #[inline(always)]
    pub fn has_tag_beside(&self) -> bool {
        // SAFETY: `raw` is the program's context.
        unsafe { (*self.raw).vlan_present != 0 }
    }

    /// The outer tag and its tag control information, if it is of this protocol. The kernel keeps the tag of a frame
    /// that came by a device beside the frame; only a test run leaves it where it is on the wire.
    #[inline(always)]
    pub fn tag(&self, protocol: u16) -> (Tag, u16) {
        // SAFETY: `raw` is the program's context. The packet is read only after the comparison with its end.
        unsafe {
            let start = (*self.raw).data as usize;
            let end = (*self.raw).data_end as usize;
            let word = |offset: usize| {
                if start + offset + 2 > end {
                    0
                } else {
                    u16::from_be(((start + offset) as *const u16).read_volatile())
                }
            };
            let ethertype = word(12);
            if (*self.raw).vlan_present != 0 {
                if (*self.raw).vlan_proto != u32::from(protocol.to_be()) {
                    return (Tag::NONE, 0);
                }
                let control = (*self.raw).vlan_tci as u16;
                return (Tag::new(control, is_tag(ethertype)), control);
            }
            // A tag that is cut short is payload.
            if ethertype != protocol || start + 18 > end {
                return (Tag::NONE, 0);
            }
            let control = word(14);
            (Tag::new(control, is_tag(word(16))), control)
        }
    }

    /// Changes the outer tag from what `from` made of it to what `to` makes of it; `false` if there is no memory.
    #[inline(always)]
    pub fn retag(&self, outer: &Outer, from: Retag, to: Retag) -> bool {
        if from.to_bits() == to.to_bits() {
            return true;
        }
        if outer.after(from).is_some() && !helper::vlan_pop(self.raw) {
            return false;
        }
        match outer.after(to) {
            Some(control) => helper::vlan_push(self.raw, outer.protocol, control),
            None => true,
        }
    }

    /// The VLAN identifier of the tag that the kernel keeps beside the frame.
    #[inline(always)]
    pub fn vid_beside(&self) -> Option<u16> {
        // SAFETY: `raw` is the program's context.
        unsafe {
            if (*self.raw).vlan_present == 0 {
                return None;
            }
            Some((*self.raw).vlan_tci as u16 & VID_MASK)
        }
    }

    /// Sends the frame out of a port.
    #[inline(always)]
    pub fn leave(&self, egress: &Egress) -> i32 {
        self.redirect(egress.ifindex, matches!(egress.redirect, Redirect::Peer))
    }

    /// Sends the frame out of a device, or, past it, to its peer.
    #[inline(always)]
    pub fn redirect(&self, ifindex: u32, to_peer: bool) -> i32 {
        match to_peer {
            false => helper::redirect(ifindex),
            true => {
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
                helper::redirect_peer(ifindex)
            }
        }
    }
}

impl Bytes for Skb {
    #[inline(always)]
    fn read<const N: usize>(&self, offset: u32, to: &mut Chunk) -> bool {
        helper::load_bytes::<N, _>(self.raw, offset, &mut to.0)
    }
}

/// The outer tag with which a frame came.
#[derive(Clone, Copy)]
pub struct Outer {
    /// As far as it matters for where the frame goes.
    pub tag: Tag,
    /// All of its control information.
    pub control: u16,
    /// The protocol of the switch's tags.
    pub protocol: u16,
}

impl Outer {
    /// A frame on a switch that does not look at tags.
    pub const NONE: Self = Self { tag: Tag::NONE, control: 0, protocol: 0 };

    /// The control information of the tag that is there after a change; `None` if there is no tag.
    #[inline(always)]
    fn after(&self, retag: Retag) -> Option<u16> {
        match retag.vid() {
            Some(vid) => Some(self.control & !VID_MASK | vid),
            None if retag.is_keep() && self.tag.is_present() => Some(self.control),
            None => None,
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

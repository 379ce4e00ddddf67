//! Mirror sessions (SPAN): copies of what ports or VLANs carry, for a port.

use crate::port::Slot;

/// Bits of [`MirrorSession::directions`].
pub mod direction {
    /// What ports receive.
    pub const IN: u8 = 1;
    /// What ports send.
    pub const OUT: u8 = 2;
}

/// One row of the `MIRRORS` map; written by the controller only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorSession {
    /// Interface index of the port that gets the copies; 0 = the session is free.
    pub ifindex: u32,
    /// That port.
    pub slot: Slot,
    /// Only frames of this VLAN; 0 = all.
    pub vlan: u16,
    /// Bytes of each frame that are copied; 0 = all.
    pub snap_length: u32,
    /// One of so many frames is copied, at random; 0 and 1 = each.
    pub sampling: u32,
    /// The session's name, padded with zero bytes.
    pub name: [u8; 15],
    /// Bits of [`direction`].
    pub directions: u8,
}

const _: () = assert!(size_of::<MirrorSession>() == 32);

impl MirrorSession {
    /// Whether a frame is one of those that the session copies. `ifindex` is the port by which it comes or leaves: what the
    /// session's own port carries is not copied to it.
    #[inline(always)]
    pub const fn takes(&self, ifindex: u32, vlan: u16, direction: u8) -> bool {
        self.ifindex != 0
            && self.ifindex != ifindex
            && self.directions & direction != 0
            && (self.vlan == 0 || self.vlan == vlan)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_chosen_by_direction_and_vlan() {
        let session = MirrorSession { ifindex: 5, directions: direction::IN, ..MirrorSession::default() };
        assert!(session.takes(4, 0, direction::IN) && session.takes(4, 10, direction::IN));
        assert!(!session.takes(4, 0, direction::OUT));
        assert!(!session.takes(5, 0, direction::IN), "its own port");
        let session = MirrorSession { vlan: 10, directions: direction::IN | direction::OUT, ..session };
        assert!(session.takes(4, 10, direction::IN) && session.takes(4, 10, direction::OUT));
        assert!(!session.takes(4, 0, direction::IN) && !session.takes(4, 11, direction::OUT));
        assert!(!MirrorSession { ifindex: 0, ..session }.takes(4, 10, direction::IN), "a free session");
    }
}

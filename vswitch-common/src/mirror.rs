//! Mirror sessions (SPAN): copies of what ports or VLANs carry, for a port.

use crate::port::Slot;

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
    pub name: [u8; 16],
}

const _: () = assert!(size_of::<MirrorSession>() == 32);

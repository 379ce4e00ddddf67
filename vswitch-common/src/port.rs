//! A port as the program sees it.

use crate::addr::MacAddr;

/// Index of a port's row in every per-port map. Slot 0 is no port.
pub type Slot = u16;

/// What a port does with frames (IEEE 802.1Q, 8.4; `BR_STATE_*` in Linux).
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PortState {
    /// The slot is empty, or the port is administratively off.
    Disabled = 0,
    /// Neither learns nor forwards.
    Blocking = 1,
    /// Learns, does not forward.
    Learning = 2,
    /// Learns and forwards.
    Forwarding = 3,
    /// The controller found that the device no longer exists.
    Gone = 4,
}

impl PortState {
    /// From the byte in the map; what is unknown is not forwarding.
    #[inline(always)]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Blocking,
            2 => Self::Learning,
            3 => Self::Forwarding,
            4 => Self::Gone,
            _ => Self::Disabled,
        }
    }
}

/// How a frame leaves by a port.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redirect {
    /// `bpf_redirect` to the device.
    Dev = 0,
    /// `bpf_redirect_peer` (Linux 5.10) for frames to the peer's own address, else as [`Redirect::Dev`].
    Peer = 1,
}

/// Bits of [`PortConfig::flags`].
pub mod flag {
    /// Learn source addresses.
    pub const LEARNING: u32 = 1;
    /// Send unknown unicast out of this port.
    pub const FLOOD: u32 = 1 << 1;
    /// Send multicast out of this port.
    pub const MCAST_FLOOD: u32 = 1 << 2;
    /// Send broadcast out of this port.
    pub const BCAST_FLOOD: u32 = 1 << 3;
    /// No frame passes between two isolated ports.
    pub const ISOLATED: u32 = 1 << 4;
    /// Frames may leave by the port by which they came.
    pub const HAIRPIN: u32 = 1 << 5;
    /// Only frames whose source is in the FDB on this port are admitted.
    pub const LOCKED: u32 = 1 << 6;
    /// What a new port has, as a new port of the Linux bridge.
    pub const DEFAULT: u32 = LEARNING | FLOOD | MCAST_FLOOD | BCAST_FLOOD;
}

/// One row of the `PORTS` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortConfig {
    /// Interface index of the port's device in the switch's network namespace; 0 = the slot is empty.
    pub ifindex: u32,
    /// Bits of [`flag`].
    pub flags: u32,
    /// Number of this use of the slot: entries learned by an earlier port in the same slot do not match it.
    pub incarnation: u16,
    /// A [`PortState`].
    pub state: u8,
    /// A [`Redirect`].
    pub redirect: u8,
    /// Padding, always zero.
    pub reserved: u32,
    /// The address of the veth peer, the only destination that `redirect_peer` is used for.
    pub peer_mac: MacAddr,
}

const _: () = assert!(size_of::<PortConfig>() == 24);

impl PortConfig {
    /// An empty slot.
    pub const EMPTY: Self = Self {
        ifindex: 0,
        flags: 0,
        incarnation: 0,
        state: PortState::Disabled as u8,
        redirect: Redirect::Dev as u8,
        reserved: 0,
        peer_mac: MacAddr::ZERO,
    };

    /// The state, typed.
    #[inline(always)]
    pub const fn state(&self) -> PortState {
        PortState::from_u8(self.state)
    }

    /// Whether all bits of `flag` are set.
    #[inline(always)]
    pub const fn has(&self, flag: u32) -> bool {
        self.flags & flag == flag
    }
}

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
    /// The controller found that the device no longer exists, or is about to remove the port.
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
    /// On a locked port: unknown sources are noted in the FDB as locked entries.
    pub const MAB: u32 = 1 << 7;
    /// A BPDU shuts the port.
    pub const BPDU_GUARD: u32 = 1 << 8;
    /// ARP questions for known addresses are answered to who asks on this port; nothing is flooded to it.
    pub const PROXY_ARP: u32 = 1 << 9;
    /// Questions for known addresses are not flooded to this port; those for stations behind it are answered.
    pub const NEIGH_SUPPRESS: u32 = 1 << 10;
    /// ARP questions for stations behind this port are answered, and those that are answered are not flooded to it.
    pub const PROXY_ARP_WIFI: u32 = 1 << 11;
    /// Sources must be bound to the port.
    pub const SPOOF_CHECK: u32 = 1 << 12;
    /// A frame of ours that comes back shuts the port.
    pub const LOOP_GUARD: u32 = 1 << 13;
    /// Set by the controller: the port has a meter for what it floods.
    pub const STORM: u32 = 1 << 16;
    /// Set by the controller: the port has a meter for what it receives.
    pub const POLICE_IN: u32 = 1 << 17;
    /// Set by the controller: the port has a meter for what it sends.
    pub const POLICE_OUT: u32 = 1 << 18;
    /// Set by the controller: rules apply to what the port receives.
    pub const ACL_IN: u32 = 1 << 19;
    /// Set by the controller: rules apply to what the port sends.
    pub const ACL_OUT: u32 = 1 << 20;
    /// Set by the controller: VLANs are translated at this port.
    pub const TRANSLATE: u32 = 1 << 21;
    /// Set by the controller: the port is in one VLAN only, untagged, so it takes no frame with two tags.
    pub const ACCESS: u32 = 1 << 22;
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
    /// VLAN of untagged and priority-tagged frames; 0 = they are dropped. Only with VLAN filtering.
    pub pvid: u16,
    /// The port that takes over while this one's device is down; 0 = none.
    pub backup: Slot,
    /// The address of the veth peer, the only destination that `redirect_peer` is used for.
    pub peer_mac: MacAddr,
    /// Addresses that may be learned behind this port; 0 = no limit of its own.
    pub max_macs: u32,
    /// Mirror sessions that get a copy of what the port receives, one bit each.
    pub mirror_in: u8,
    /// Mirror sessions that get a copy of what the port sends, one bit each.
    pub mirror_out: u8,
    /// A [`MoveGuard`]: what happens when addresses move to this port too often.
    pub move_guard: u8,
    /// Padding, always zero.
    pub reserved: u8,
    /// As [`SwitchConfig::group_fwd_mask`](crate::config::SwitchConfig::group_fwd_mask), for frames that come by this
    /// port; what either of the two lets pass, passes.
    pub group_fwd_mask: u16,
    /// Padding, always zero.
    pub padding: [u8; 6],
}

const _: () = assert!(size_of::<PortConfig>() == 40);

/// What happens when an address moves to a port more often than the switch's `move-limit` allows.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoveGuard {
    /// It moves.
    Off = 0,
    /// It moves, and an event says so.
    Log = 1,
    /// It stays where it is.
    Hold = 2,
    /// The port is shut.
    Shut = 3,
}

impl MoveGuard {
    /// From the byte in the map.
    #[inline(always)]
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Log,
            2 => Self::Hold,
            3 => Self::Shut,
            _ => Self::Off,
        }
    }
}

impl PortConfig {
    /// An empty slot.
    pub const EMPTY: Self = Self {
        ifindex: 0,
        flags: 0,
        incarnation: 0,
        state: PortState::Disabled as u8,
        redirect: Redirect::Dev as u8,
        pvid: 0,
        backup: 0,
        peer_mac: MacAddr::ZERO,
        max_macs: 0,
        mirror_in: 0,
        mirror_out: 0,
        move_guard: MoveGuard::Off as u8,
        reserved: 0,
        group_fwd_mask: 0,
        padding: [0; 6],
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

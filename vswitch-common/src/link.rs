//! How often the device of a port went down, as the kernel tells it.

/// One row of the `PORT_LINKS` map: what the program knows of a port; written by the programs only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortLink {
    /// Number of times that the device went down: what ages and was learned before the last time does not match it,
    /// so that it is forgotten at once, without a walk over the FDB.
    pub epoch: u16,
    /// 1 since the device went down; whether it still is must be asked for.
    pub is_down: u8,
    /// A [`ShutReason`]; 0 = the port is not shut.
    pub shut_reason: u8,
    /// Padding, always zero.
    pub reserved: u32,
    /// Address of the kernel's `net_device` when it went down; only ever read with care.
    pub device: u64,
    /// Addresses learned behind the port that are in the FDB.
    pub macs: u64,
    /// Jiffies until which a guard keeps the port shut; `u64::MAX` = until the user opens it.
    pub shut_until: u64,
}

const _: () = assert!(size_of::<PortLink>() == 32);

/// Which guard has shut a port.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShutReason {
    /// None has.
    None = 0,
    /// A BPDU came in.
    Bpdu = 1,
    /// Addresses moved to the port too often.
    Moves = 2,
    /// A frame of the switch's own device came back.
    Loop = 3,
}

impl ShutReason {
    /// From the byte in the map.
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Bpdu,
            2 => Self::Moves,
            3 => Self::Loop,
            _ => Self::None,
        }
    }

    /// The word in tables and JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Bpdu => "bpdu",
            Self::Moves => "moves",
            Self::Loop => "loop",
        }
    }
}

impl PortLink {
    /// Whether a guard keeps the port shut at `now`.
    #[inline(always)]
    pub const fn is_shut(&self, now: u64) -> bool {
        self.shut_reason != 0 && now < self.shut_until
    }

    /// What follows when the device goes down.
    #[inline(always)]
    #[must_use]
    pub const fn went_down(self) -> Self {
        Self { epoch: self.epoch.wrapping_add(1), ..self }
    }
}

/// Where the running kernel keeps what the watch program reads, in bytes from the beginning of each structure. It
/// differs from build to build of the kernel; the controller finds it in the kernel's own type information.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceLayout {
    /// `net_device.ifindex`, an `int`.
    pub ifindex: u32,
    /// `net_device.flags`, an `unsigned int` of `IFF_*`.
    pub flags: u32,
    /// `net_device.state`, an `unsigned long` of `__LINK_STATE_*` bits.
    pub state: u32,
    /// `net_device.nd_net`, a pointer to a `struct net`.
    pub net: u32,
    /// `net.net_cookie`, a `u64`.
    pub net_cookie: u32,
    /// `Qdisc.dev_queue`, a pointer to a `struct netdev_queue`.
    pub queue: u32,
    /// `netdev_queue.dev`, a pointer to a `struct net_device`.
    pub queue_device: u32,
}

const _: () = assert!(size_of::<DeviceLayout>() == 28);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_down_is_a_new_epoch() {
        let first = PortLink::default();
        assert_eq!(first.went_down().epoch, 1);
        let last = PortLink { epoch: u16::MAX, ..first };
        assert_eq!(last.went_down().epoch, 0);
    }
}

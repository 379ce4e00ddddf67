//! Whether the device of a port is up, as far as the kernel tells.

/// One row of the `PORT_LINKS` map: what the program knows of a port; written by the programs only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortLink {
    /// Number of times that the device went down: what ages and was learned before the last time does not match it,
    /// so that it is forgotten at once, without a walk over the FDB.
    pub epoch: u16,
    /// Number of times that the device went down, those included after which nothing is forgotten. Written by the watch
    /// program only.
    pub downs: u16,
    /// What `downs` was when the device was last seen to be up. Written by the switch's program only: so neither can lose
    /// what the other has noticed, whatever the order.
    pub ups: u16,
    /// A [`ShutReason`]; 0 = the port is not shut.
    pub shut_reason: u8,
    /// Padding, always zero.
    pub reserved: u8,
    /// Address of the kernel's `net_device` when it last went down; only ever read with care.
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

    /// Whether the device has gone down and was not seen to be up since; whether it still is down must be asked for.
    #[inline(always)]
    pub const fn went_down(&self) -> bool {
        self.downs != self.ups
    }

    /// The device goes down. What ages behind it is forgotten, unless another port takes over.
    #[inline(always)]
    pub const fn go_down(&mut self, device: u64, forgets: bool) {
        self.device = device;
        if forgets {
            self.epoch = self.epoch.wrapping_add(1);
        }
        self.downs = self.downs.wrapping_add(1);
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
        let mut link = PortLink::default();
        assert!(!link.went_down());
        link.go_down(0xffff_8880_0000_1000, true);
        assert_eq!((link.epoch, link.device, link.went_down()), (1, 0xffff_8880_0000_1000, true));
        link.go_down(7, false);
        assert_eq!((link.epoch, link.device, link.went_down()), (1, 7, true));
        let mut last = PortLink { epoch: u16::MAX, downs: u16::MAX, ups: u16::MAX, ..link };
        last.go_down(7, true);
        assert_eq!((last.epoch, last.downs, last.went_down()), (0, 0, true));
    }

    /// The switch's program saw the device up, and it went down again before that was noted.
    #[test]
    fn a_late_note_hides_no_later_way_down() {
        let mut link = PortLink::default();
        link.go_down(7, true);
        let seen = link.downs;
        link.go_down(7, true);
        link.ups = seen;
        assert!(link.went_down());
        link.ups = link.downs;
        assert!(!link.went_down());
    }
}

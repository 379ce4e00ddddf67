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
    /// Addresses learned behind the port that are in the FDB, in the low 48 bits, and the epoch of which they are in the
    /// high 16: in one word, so that one instruction counts an address and tells of which epoch it is.
    pub macs: u64,
    /// Jiffies until which a guard keeps the port shut; `u64::MAX` = until the user opens it.
    pub shut_until: u64,
    /// Low half of the jiffies at the first of the moves that are counted.
    pub moved_at: u32,
    /// Moves of addresses to the port since then.
    pub moves: u32,
}

const _: () = assert!(size_of::<PortLink>() == 40);

/// The bits of [`PortLink::macs`] that are the count.
const COUNT: u64 = (1 << 48) - 1;

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

/// The count in a word of [`PortLink::macs`].
#[inline(always)]
pub const fn count_of(macs: u64) -> u64 {
    macs & COUNT
}

/// The epoch in a word of [`PortLink::macs`].
#[inline(always)]
pub const fn epoch_of(macs: u64) -> u16 {
    (macs >> 48) as u16
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

    /// What ages behind the port is forgotten: a new epoch, in which nothing has been learned yet.
    #[inline(always)]
    pub const fn forget(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.macs = (self.epoch as u64) << 48;
    }

    /// The device goes down. What ages behind it is forgotten, unless another port takes over.
    #[inline(always)]
    pub const fn go_down(&mut self, device: u64, forgets: bool) {
        self.device = device;
        if forgets {
            self.forget();
        }
        self.downs = self.downs.wrapping_add(1);
    }

    /// Learned addresses that count.
    #[inline(always)]
    pub const fn count(&self) -> u64 {
        count_of(self.macs)
    }

    /// Jiffies for which a guard keeps the port shut from `now` on, and why; `u64::MAX` = until the user opens it.
    pub const fn shut_for(&self, now: u64) -> Option<(ShutReason, u64)> {
        if !self.is_shut(now) {
            return None;
        }
        let left = if self.shut_until == u64::MAX { u64::MAX } else { self.shut_until - now };
        Some((ShutReason::from_u8(self.shut_reason), left))
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

    #[test]
    fn a_new_epoch_has_learned_nothing() {
        let mut link = PortLink { epoch: 7, macs: 7 << 48 | 5, ..PortLink::default() };
        assert_eq!((link.count(), epoch_of(link.macs)), (5, 7));
        link.go_down(7, false);
        assert_eq!((link.count(), epoch_of(link.macs), link.epoch), (5, 7, 7));
        link.go_down(7, true);
        assert_eq!((link.count(), epoch_of(link.macs), link.epoch), (0, 8, 8));
    }

    #[test]
    fn a_shut_port_opens_by_itself() {
        let link = PortLink { shut_reason: ShutReason::Bpdu as u8, shut_until: 100, ..PortLink::default() };
        assert_eq!(link.shut_for(60), Some((ShutReason::Bpdu, 40)));
        assert_eq!((link.is_shut(99), link.is_shut(100), link.shut_for(100)), (true, false, None));
        let for_ever = PortLink { shut_until: u64::MAX, ..link };
        assert_eq!(for_ever.shut_for(60), Some((ShutReason::Bpdu, u64::MAX)));
        assert_eq!(PortLink { shut_reason: 0, ..for_ever }.shut_for(60), None);
    }
}

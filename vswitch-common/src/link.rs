//! Whether the device of a port can carry frames, as the kernel announces it.

/// One row of the `PORT_LINKS` map. Written by the watch programs; the controller writes it once, for a new port in the
/// slot, before that port forwards.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortLink {
    /// Number of times that the device went down: entries learned before the last time do not match it, so that they
    /// are forgotten at once, without a walk over the FDB.
    pub epoch: u16,
    /// Not 0: the device is down or has no carrier. Always 0 where the kernel tells only when a device goes down.
    pub down: u8,
    /// Padding, always zero.
    pub reserved: [u8; 5],
}

const _: () = assert!(size_of::<PortLink>() == 8);

impl PortLink {
    /// The first of a slot: up.
    pub const UP: Self = Self { epoch: 0, down: 0, reserved: [0; 5] };

    /// Whether the device is down or has no carrier.
    #[inline(always)]
    pub const fn is_down(&self) -> bool {
        self.down != 0
    }

    /// What follows when the device goes down, and nobody will tell when it is up again.
    #[inline(always)]
    #[must_use]
    pub const fn went_down(self) -> Self {
        Self { epoch: self.epoch.wrapping_add(1), ..self }
    }

    /// What follows when the device is announced to be down, or up; `None` if that is known already.
    #[inline(always)]
    pub const fn announced(self, down: bool) -> Option<Self> {
        match (self.is_down(), down) {
            (false, true) => Some(Self { down: 1, ..self.went_down() }),
            (true, false) => Some(Self { down: 0, ..self }),
            (true, true) | (false, false) => None,
        }
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
        let down = PortLink::UP.announced(true).unwrap();
        assert!(down.is_down());
        assert_eq!(down.epoch, 1);
        assert_eq!(down.announced(true), None);
        let up = down.announced(false).unwrap();
        assert!(!up.is_down());
        assert_eq!(up.epoch, 1);
        assert_eq!(up.announced(false), None);
        let last = PortLink { epoch: u16::MAX, ..PortLink::UP };
        assert_eq!(last.announced(true).map(|link| link.epoch), Some(0));
    }
}

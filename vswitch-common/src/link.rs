//! How often the device of a port went down, as the kernel tells it.

/// One row of the `PORT_LINKS` map; written by the watch program only.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PortLink {
    /// Number of times that the device went down: what ages and was learned before the last time does not match it,
    /// so that it is forgotten at once, without a walk over the FDB.
    pub epoch: u16,
    /// Padding, always zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<PortLink>() == 8);

impl PortLink {
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

//! Known neighbours: for which questions the switch has the answer.

/// Key of the `NEIGHS` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NeighKey {
    /// IPv6 address, or an IPv4 address as `::ffff:a.b.c.d`, as on the wire.
    pub address: [u8; 16],
    /// The VLAN; 0 without VLAN filtering.
    pub vlan: u16,
    /// Padding, always zero.
    pub reserved: [u8; 6],
}

const _: () = assert!(size_of::<NeighKey>() == 24);

impl NeighKey {
    /// The key of an IPv4 address.
    #[inline(always)]
    pub const fn v4([a, b, c, d]: [u8; 4], vlan: u16) -> Self {
        Self { address: [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, a, b, c, d], vlan, reserved: [0; 6] }
    }

    /// The key of an IPv6 address.
    #[inline(always)]
    pub const fn v6(address: [u8; 16], vlan: u16) -> Self {
        Self { address, vlan, reserved: [0; 6] }
    }
}

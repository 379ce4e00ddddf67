//! Known neighbours: for which questions the switch has the answer.

use crate::{addr::MacAddr, port::Slot};

/// Key of the `NEIGHS` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NeighKey {
    /// IPv6 address, or an IPv4 address as `::ffff:a.b.c.d`, as on the wire.
    pub address: [u8; 16],
    /// The VLAN; 0 = any in which the station is known.
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

/// Where a neighbour is known from.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NeighKind {
    /// Added by the user.
    Static = 0,
    /// The address that a port's interface was given when the port was made; goes with the port.
    Port = 1,
}

impl NeighKind {
    /// From the byte in the map.
    pub const fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Port,
            _ => Self::Static,
        }
    }
}

/// One row of the `NEIGHS` map.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighEntry {
    /// Who has the address.
    pub mac: MacAddr,
    /// A [`NeighKind`].
    pub kind: u8,
    /// 1 = the neighbour is a router, which answers for IPv6 must say.
    pub is_router: u8,
    /// The port from which it is known; 0 = added by the user.
    pub slot: Slot,
    /// Padding, always zero.
    pub reserved: u32,
}

const _: () = assert!(size_of::<NeighEntry>() == 16);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_do_not_meet() {
        assert_ne!(NeighKey::v4([10, 0, 0, 1], 0), NeighKey::v4([10, 0, 0, 1], 1));
        let mut address = [0; 16];
        address[12..].copy_from_slice(&[10, 0, 0, 1]);
        assert_ne!(NeighKey::v4([10, 0, 0, 1], 0), NeighKey::v6(address, 0));
        for kind in [NeighKind::Static, NeighKind::Port] {
            assert_eq!(NeighKind::from_u8(kind as u8), kind);
        }
    }
}

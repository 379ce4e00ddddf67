//! A frame, whatever it is carried in.

use vswitch_common::{addr::MacAddr, meter::MeterKind};

/// Length of an Ethernet header, in bytes.
pub const HEADER_LEN: u32 = 14;
/// What a frame may exceed the MTU by: its header and one VLAN tag, as `is_skb_forwardable` in Linux allows.
pub const OVERHEAD: u32 = HEADER_LEN + 4;

/// The two addresses of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ethernet {
    /// Where it goes.
    pub destination: MacAddr,
    /// Where it comes from.
    pub source: MacAddr,
}

/// What the pipeline must know of a frame: an skb in tc, a byte slice in tests.
pub trait Frame {
    /// The addresses; `None` if the frame is too short to have them.
    fn ethernet(&self) -> Option<Ethernet>;
    /// Whole length in bytes, with the Ethernet header, without the FCS and a tag that the kernel keeps outside.
    fn length(&self) -> u32;
    /// Index of the interface by which it came.
    fn ingress_ifindex(&self) -> u32;
}

/// The kind of destination, which decides by which flag a port takes part in a flood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cast {
    /// One station, not in the FDB.
    UnknownUnicast,
    /// A group of stations.
    Multicast,
    /// All stations.
    Broadcast,
}

impl Cast {
    /// The meter of what a port floods of this kind.
    #[inline(always)]
    pub const fn meter(self) -> MeterKind {
        match self {
            Self::UnknownUnicast => MeterKind::UnknownUnicast,
            Self::Multicast => MeterKind::Multicast,
            Self::Broadcast => MeterKind::Broadcast,
        }
    }
}

impl Ethernet {
    /// How the frame is flooded if nothing is known about its destination.
    #[inline(always)]
    pub const fn cast(&self) -> Cast {
        if !self.destination.is_group() {
            Cast::UnknownUnicast
        } else if self.destination.is_broadcast() {
            Cast::Broadcast
        } else {
            Cast::Multicast
        }
    }
}

impl Frame for &[u8] {
    fn ethernet(&self) -> Option<Ethernet> {
        let (destination, rest) = self.split_first_chunk::<6>()?;
        let (source, rest) = rest.split_first_chunk::<6>()?;
        rest.first_chunk::<2>()?;
        Some(Ethernet { destination: MacAddr::new(*destination), source: MacAddr::new(*source) })
    }

    fn length(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    fn ingress_ifindex(&self) -> u32 {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn casts() {
        let cast = |destination| {
            Ethernet { destination: MacAddr::new(destination), source: MacAddr::new([2, 0, 0, 0, 0, 1]) }
                .cast()
        };
        assert_eq!(cast([2, 0, 0, 0, 0, 2]), Cast::UnknownUnicast);
        assert_eq!(cast([0x33, 0x33, 0, 0, 0, 1]), Cast::Multicast);
        assert_eq!(cast([0xff; 6]), Cast::Broadcast);
    }

    proptest! {
        #[test]
        fn only_whole_headers_have_addresses(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let frame = bytes.as_slice();
            match frame.ethernet() {
                None => prop_assert!(frame.length() < HEADER_LEN),
                Some(ethernet) => {
                    prop_assert!(frame.length() >= HEADER_LEN);
                    prop_assert_eq!(&ethernet.destination.octets()[..], &bytes[..6]);
                    prop_assert_eq!(&ethernet.source.octets()[..], &bytes[6..12]);
                }
            }
        }
    }
}

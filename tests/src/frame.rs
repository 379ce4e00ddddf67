//! Frames, built byte by byte.

use bytes::{BufMut, Bytes, BytesMut};
use vswitch_common::addr::MacAddr;

/// Ethertype of the frames that the tests make: "local experimental", so that no stack answers.
pub const ETHERTYPE: u16 = 0x88b5;
/// 802.1Q tag protocol identifier.
pub const CTAG: u16 = 0x8100;
/// 802.1ad tag protocol identifier.
pub const STAG: u16 = 0x88a8;
/// Length of an untagged Ethernet header.
pub const HEADER: usize = 14;

/// Any group address that is neither broadcast nor link-local.
pub const MULTICAST: MacAddr = MacAddr::new([0x03, 0, 0, 0, 0, 0x77]);

/// The address of a station: locally administered, and different for every number.
pub const fn station(number: u16) -> MacAddr {
    let [high, low] = number.to_be_bytes();
    MacAddr::new([0x02, 0, 0, 0, high, low])
}

/// An Ethernet frame to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    destination: MacAddr,
    source: MacAddr,
    tags: Vec<(u16, u16)>,
    ethertype: u16,
    sequence: u32,
    payload: usize,
}

impl Frame {
    /// A small frame from one address to another.
    pub fn new(source: MacAddr, destination: MacAddr) -> Self {
        Self { destination, source, tags: Vec::new(), ethertype: ETHERTYPE, sequence: 0, payload: 46 }
    }

    /// From a source to everybody.
    pub fn broadcast(source: MacAddr) -> Self {
        Self::new(source, MacAddr::BROADCAST)
    }

    /// With another tag, inside of those that it has: protocol identifier, and priority and VLAN.
    #[must_use]
    pub fn tagged(mut self, protocol: u16, control: u16) -> Self {
        self.tags.push((protocol, control));
        self
    }

    /// With a number in the payload, which tells frames apart.
    #[must_use]
    pub fn sequence(mut self, sequence: u32) -> Self {
        self.sequence = sequence;
        self
    }

    /// With that ethertype.
    #[must_use]
    pub fn ethertype(mut self, ethertype: u16) -> Self {
        self.ethertype = ethertype;
        self
    }

    /// With that many bytes after the ethertype: at most the MTU.
    #[must_use]
    pub fn payload(mut self, bytes: usize) -> Self {
        self.payload = bytes;
        self
    }

    /// The bytes on the wire, without the FCS. The payload is the sequence number, then a pattern that depends on
    /// it, cut where the payload is shorter.
    pub fn build(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(HEADER + 4 * self.tags.len() + self.payload);
        bytes.put_slice(&self.destination.octets());
        bytes.put_slice(&self.source.octets());
        for (protocol, control) in &self.tags {
            bytes.put_u16(*protocol);
            bytes.put_u16(*control);
        }
        bytes.put_u16(self.ethertype);
        let pattern = (0_u8..=250).cycle().map(|index| index ^ self.sequence.to_le_bytes()[0]);
        let payload: Vec<u8> =
            self.sequence.to_be_bytes().into_iter().chain(pattern).take(self.payload).collect();
        bytes.put_slice(&payload);
        bytes.freeze()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_where_they_belong() {
        let frame = Frame::new(station(1), station(0x0203))
            .tagged(STAG, 5)
            .tagged(CTAG, 0xe007)
            .sequence(0x0a0b_0c0d);
        let bytes = frame.payload(6).build();
        let expected: &[u8] = &[
            2, 0, 0, 0, 2, 3, 2, 0, 0, 0, 0, 1, 0x88, 0xa8, 0, 5, 0x81, 0, 0xe0, 7, 0x88, 0xb5, 10, 11, 12,
            13, 13, 12,
        ];
        assert_eq!(&bytes[..], expected);
        assert_eq!(Frame::broadcast(station(1)).payload(0).build().len(), HEADER);
    }

    proptest::proptest! {
        #[test]
        fn as_long_as_asked_for_and_told_apart(payload in 4_usize..2000, one: u32, other: u32, tags in 0_usize..4) {
            let build = |sequence| {
                let frame = Frame::broadcast(station(1)).payload(payload).sequence(sequence);
                (0..tags).fold(frame, |frame, _| frame.tagged(CTAG, 1)).build()
            };
            proptest::prop_assert_eq!(build(one).len(), HEADER + 4 * tags + payload);
            proptest::prop_assert_eq!(build(one) == build(other), one == other);
        }
    }
}

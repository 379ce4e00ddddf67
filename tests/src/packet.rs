//! Packets of IP, built byte by byte, checksums left out: nothing in between looks at them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, Bytes, BytesMut};
use vswitch_common::addr::MacAddr;

/// TCP.
pub const TCP: u8 = 6;
/// UDP.
pub const UDP: u8 = 17;
/// ICMP of IPv6.
pub const ICMPV6: u8 = 58;
/// TCP flags.
pub const SYN: u8 = 2;
/// TCP flags.
pub const ACK: u8 = 16;
/// Kind of the IPv6 header of a fragment.
const FRAGMENT: u8 = 44;

/// A packet to be.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Source and destination of the frame.
    pub macs: [MacAddr; 2],
    /// Tags: protocol identifier, and priority and VLAN.
    pub tags: Vec<(u16, u16)>,
    /// Source and destination, of one family.
    pub addresses: [IpAddr; 2],
    /// Protocol.
    pub protocol: u8,
    /// Source and destination port.
    pub ports: [u16; 2],
    /// TCP flags.
    pub flags: u8,
    /// Offset in units of eight bytes, and whether more fragments follow.
    pub fragment: Option<(u16, bool)>,
    /// IPv6 extension headers before the rest, by kind; each has eight bytes.
    pub extensions: Vec<u8>,
    /// What follows ports and flags.
    pub payload: Vec<u8>,
}

impl Packet {
    /// UDP from one address to another.
    pub fn new(macs: [MacAddr; 2], addresses: [IpAddr; 2]) -> Self {
        Self {
            macs,
            tags: Vec::new(),
            addresses,
            protocol: UDP,
            ports: [1000, 2000],
            flags: 0,
            fragment: None,
            extensions: Vec::new(),
            payload: vec![0; 32],
        }
    }

    /// As TCP, with these flags.
    #[must_use]
    pub fn tcp(mut self, flags: u8) -> Self {
        (self.protocol, self.flags) = (TCP, flags);
        self
    }

    /// With these ports.
    #[must_use]
    pub fn ports(mut self, source: u16, destination: u16) -> Self {
        self.ports = [source, destination];
        self
    }

    /// As a fragment.
    #[must_use]
    pub fn fragment(mut self, offset: u16, more: bool) -> Self {
        self.fragment = Some((offset, more));
        self
    }

    /// The bytes on the wire, without the FCS.
    ///
    /// # Panics
    /// When the addresses are of two families.
    pub fn build(&self) -> Bytes {
        let mut bytes = BytesMut::new();
        bytes.put_slice(&self.macs[1].octets());
        bytes.put_slice(&self.macs[0].octets());
        for (protocol, control) in &self.tags {
            bytes.put_u16(*protocol);
            bytes.put_u16(*control);
        }
        match self.addresses {
            [IpAddr::V4(source), IpAddr::V4(destination)] => self.v4(&mut bytes, source, destination),
            [IpAddr::V6(source), IpAddr::V6(destination)] => self.v6(&mut bytes, source, destination),
            _ => panic!("two families: {:?}", self.addresses),
        }
        bytes.freeze()
    }

    fn v4(&self, bytes: &mut BytesMut, source: Ipv4Addr, destination: Ipv4Addr) {
        let upper = self.upper();
        bytes.put_slice(&[0x08, 0x00, 0x45, 0]);
        bytes.put_u16(20 + u16::try_from(upper.len()).expect("a small packet"));
        bytes.put_u16(1);
        let (offset, more) = self.fragment.unwrap_or_default();
        bytes.put_u16(offset | u16::from(more) << 13);
        bytes.put_slice(&[64, self.protocol, 0, 0]);
        bytes.put_slice(&source.octets());
        bytes.put_slice(&destination.octets());
        bytes.put_slice(&upper);
    }

    fn v6(&self, bytes: &mut BytesMut, source: Ipv6Addr, destination: Ipv6Addr) {
        let upper = self.upper();
        let mut kinds = self.extensions.clone();
        kinds.extend(self.fragment.map(|_| FRAGMENT));
        kinds.push(self.protocol);
        bytes.put_slice(&[0x86, 0xdd, 0x60, 0, 0, 0]);
        bytes.put_u16(u16::try_from((kinds.len() - 1) * 8 + upper.len()).expect("a small packet"));
        bytes.put_slice(&[kinds[0], 64]);
        bytes.put_slice(&source.octets());
        bytes.put_slice(&destination.octets());
        for pair in kinds.windows(2) {
            bytes.put_slice(&[pair[1], 0]);
            let (offset, more) = self.fragment.filter(|_| pair[0] == FRAGMENT).unwrap_or_default();
            bytes.put_u16(offset << 3 | u16::from(more));
            bytes.put_u32(0);
        }
        bytes.put_slice(&upper);
    }

    fn upper(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        if self.fragment.is_none_or(|(offset, _)| offset == 0) && self.protocol != ICMPV6 {
            bytes.extend(self.ports.iter().flat_map(|port| port.to_be_bytes()));
            if self.protocol == TCP {
                bytes.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, self.flags, 0xff, 0, 0, 0, 0, 0]);
            }
        }
        bytes.extend(&self.payload);
        bytes
    }
}

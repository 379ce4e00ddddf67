//! ARP and ICMP echo over IPv4 over Ethernet, byte by byte: what a small station must speak.

use std::net::Ipv4Addr;

use vswitch_common::addr::MacAddr;

use crate::frame::HEADER;

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_ARP: u16 = 0x0806;
const ARP_LENGTH: usize = 28;
/// An IPv4 header without options, the only kind that is understood here.
const IPV4_HEADER: usize = 20;
const ICMP_HEADER: usize = 8;
const PROTOCOL_ICMP: u8 = 1;

/// What an ARP packet is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArpKind {
    /// "Who has that address?"
    Request,
    /// "I have it."
    Reply,
}

/// An ARP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// What it is for.
    pub kind: ArpKind,
    /// Who speaks.
    pub sender: (MacAddr, Ipv4Addr),
    /// Who is asked for or answered.
    pub target: (MacAddr, Ipv4Addr),
}

impl Arp {
    /// The frame: a request to everybody, a reply to its target.
    pub fn build(&self) -> Vec<u8> {
        let (destination, operation) = match self.kind {
            ArpKind::Request => (MacAddr::BROADCAST, 1),
            ArpKind::Reply => (self.target.0, 2),
        };
        let mut frame = ethernet(destination, self.sender.0, ETHERTYPE_ARP);
        frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
        for (mac, address) in [self.sender, self.target] {
            frame.extend(mac.octets());
            frame.extend(address.octets());
        }
        frame
    }

    /// The ARP packet in a frame, if there is one.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let body = payload(frame, ETHERTYPE_ARP)?.get(..ARP_LENGTH)?;
        let kind = match body.strip_prefix(&[0, 1, 8, 0, 6, 4, 0])?.first()? {
            1 => ArpKind::Request,
            2 => ArpKind::Reply,
            _ => return None,
        };
        let pair = |at| Some((mac(body, at)?, address(body, at + 6)?));
        Some(Self { kind, sender: pair(8)?, target: pair(18)? })
    }
}

/// What an ICMP echo message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EchoKind {
    /// Ping.
    Request,
    /// Its answer.
    Reply,
}

/// An ICMP echo message in its frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Echo {
    /// What it is for.
    pub kind: EchoKind,
    /// Who sent it.
    pub source: (MacAddr, Ipv4Addr),
    /// To whom.
    pub destination: (MacAddr, Ipv4Addr),
    /// Identifier and sequence number, which an answer repeats.
    pub number: (u16, u16),
    /// Anything, which an answer repeats.
    pub data: Vec<u8>,
}

impl Echo {
    /// The answer to a request.
    #[must_use]
    pub fn answer(self) -> Self {
        Self { kind: EchoKind::Reply, source: self.destination, destination: self.source, ..self }
    }

    /// The frame.
    pub fn build(&self) -> Vec<u8> {
        let mut frame = ethernet(self.destination.0, self.source.0, ETHERTYPE_IPV4);
        let message = icmp(self.kind, self.number, &self.data);
        let length = u16::try_from(IPV4_HEADER + message.len()).unwrap_or(u16::MAX);
        let [high, low] = length.to_be_bytes();
        let mut header = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, PROTOCOL_ICMP, 0, 0];
        header.extend(self.source.1.octets());
        header.extend(self.destination.1.octets());
        let sum = checksum(&header).to_be_bytes();
        header[10..12].copy_from_slice(&sum);
        frame.extend(header);
        frame.extend(message);
        frame
    }

    /// The echo message in a frame, if there is a whole and right one.
    pub fn parse(frame: &[u8]) -> Option<Self> {
        let packet = payload(frame, ETHERTYPE_IPV4)?;
        let length = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
        // Behind the packet there may be padding.
        let packet = packet.get(..length)?;
        let header = packet.get(..IPV4_HEADER)?;
        if header[0] != 0x45 || header[9] != PROTOCOL_ICMP || checksum(header) != 0 {
            return None;
        }
        let (kind, number, data) = parse_icmp(&packet[IPV4_HEADER..])?;
        Some(Self {
            kind,
            source: (mac(frame, 6)?, address(header, 12)?),
            destination: (mac(frame, 0)?, address(header, 16)?),
            number,
            data: data.to_vec(),
        })
    }
}

/// An ICMP echo message without any header before it.
pub fn icmp(kind: EchoKind, number: (u16, u16), data: &[u8]) -> Vec<u8> {
    let word = match kind {
        EchoKind::Request => 8,
        EchoKind::Reply => 0,
    };
    let mut message = vec![word, 0, 0, 0];
    message.extend(number.0.to_be_bytes());
    message.extend(number.1.to_be_bytes());
    message.extend(data);
    let sum = checksum(&message).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    message
}

/// Kind, number and data of an ICMP echo message whose checksum is right.
pub fn parse_icmp(message: &[u8]) -> Option<(EchoKind, (u16, u16), &[u8])> {
    let (header, data) = message.split_at_checked(ICMP_HEADER)?;
    let kind = match header[..2] {
        [8, 0] => EchoKind::Request,
        [0, 0] => EchoKind::Reply,
        _ => return None,
    };
    let number = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    (checksum(message) == 0).then(|| (kind, (number(4), number(6)), data))
}

/// The Internet checksum (RFC 1071); 0 over data that includes a right one.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in bytes.chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], pair.get(1).copied().unwrap_or(0)]));
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum & 0xffff).unwrap_or(0)
}

fn ethernet(destination: MacAddr, source: MacAddr, ethertype: u16) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEADER + 64);
    frame.extend(destination.octets());
    frame.extend(source.octets());
    frame.extend(ethertype.to_be_bytes());
    frame
}

fn payload(frame: &[u8], ethertype: u16) -> Option<&[u8]> {
    frame
        .split_at_checked(HEADER)
        .filter(|(header, _)| header[12..] == ethertype.to_be_bytes())
        .map(|(_, rest)| rest)
}

fn mac(bytes: &[u8], at: usize) -> Option<MacAddr> {
    let octets: [u8; 6] = bytes.get(at..at + 6)?.try_into().ok()?;
    Some(MacAddr::new(octets))
}

fn address(bytes: &[u8], at: usize) -> Option<Ipv4Addr> {
    let octets: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    Some(Ipv4Addr::from(octets))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::station;

    const A: (MacAddr, Ipv4Addr) = (station(1), Ipv4Addr::new(10, 0, 0, 1));
    const B: (MacAddr, Ipv4Addr) = (station(2), Ipv4Addr::new(10, 0, 0, 2));

    fn echo() -> Echo {
        Echo { kind: EchoKind::Request, source: A, destination: B, number: (7, 9), data: b"abc".to_vec() }
    }

    #[test]
    fn arp_goes_round() {
        let arp = Arp { kind: ArpKind::Request, sender: A, target: B };
        let frame = arp.build();
        assert_eq!(frame[..6], [0xff; 6]);
        assert_eq!(Arp::parse(&frame), Some(arp));
        assert_eq!(Arp::parse(&frame[..40]), None);
    }

    #[test]
    fn echo_goes_round_and_padding_is_ignored() {
        let mut frame = echo().build();
        frame.extend([0; 20]);
        assert_eq!(Echo::parse(&frame), Some(echo()));
        let answer = echo().answer();
        assert_eq!((answer.source, answer.destination, answer.number), (B, A, (7, 9)));
        assert_eq!(Echo::parse(&answer.build()), Some(answer));
    }

    #[test]
    fn a_wrong_byte_is_noticed() {
        for at in [HEADER + 8, HEADER + IPV4_HEADER + 5, HEADER + IPV4_HEADER + ICMP_HEADER] {
            let mut frame = echo().build();
            frame[at] ^= 1;
            assert_eq!(Echo::parse(&frame), None, "byte {at}");
        }
    }

    #[test]
    fn the_checksum_is_that_of_rfc_1071() {
        assert_eq!(checksum(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]), !0xddf2);
    }
}

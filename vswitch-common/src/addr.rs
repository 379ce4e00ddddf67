//! Ethernet addresses, legal by construction.

use core::{cmp::Ordering, fmt, str::FromStr};

/// A 48-bit IEEE 802 address.
///
/// It is kept in the low 48 bits of a word, first octet lowest, because the program compares and hashes words: an
/// array of octets would be taken apart and put together again at every step.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MacAddr(u64);

/// Why a text is not a MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParseMacError;

impl fmt::Display for ParseMacError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a MAC address; write six hexadecimal octets such as `02:00:00:00:00:01`")
    }
}

impl core::error::Error for ParseMacError {}

impl MacAddr {
    /// `ff:ff:ff:ff:ff:ff`
    pub const BROADCAST: Self = Self(0xffff_ffff_ffff);
    /// `00:00:00:00:00:00`, which is no station's address.
    pub const ZERO: Self = Self(0);

    /// From the six octets as they are on the wire.
    #[inline(always)]
    pub const fn new([a, b, c, d, e, f]: [u8; 6]) -> Self {
        Self(u64::from_le_bytes([a, b, c, d, e, f, 0, 0]))
    }

    /// From the low 48 bits of a word.
    #[inline(always)]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits & 0xffff_ffff_ffff)
    }

    /// The six octets as they are on the wire.
    #[inline(always)]
    pub const fn octets(self) -> [u8; 6] {
        let [a, b, c, d, e, f, _, _] = self.0.to_le_bytes();
        [a, b, c, d, e, f]
    }

    /// The address in the low 48 bits of a word; equal addresses give equal words.
    #[inline(always)]
    pub const fn to_bits(self) -> u64 {
        self.0
    }

    /// The I/G bit: a multicast or broadcast address.
    #[inline(always)]
    pub const fn is_group(self) -> bool {
        self.0 & 1 == 1
    }

    /// All ones.
    #[inline(always)]
    pub const fn is_broadcast(self) -> bool {
        self.0 == Self::BROADCAST.0
    }

    /// All zeroes.
    #[inline(always)]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// An address that one station can have: neither group nor zero (`is_valid_ether_addr` in Linux).
    #[inline(always)]
    pub const fn is_station(self) -> bool {
        !self.is_group() && !self.is_zero()
    }

    /// The low four bits of a link-local group address `01:80:c2:00:00:0X` (IEEE 802.1Q table 8-1), if it is one.
    #[inline(always)]
    pub const fn link_local(self) -> Option<u8> {
        if self.0 & 0xf0ff_ffff_ffff == 0x0000_00c2_8001 { Some(self.octets()[5]) } else { None }
    }
}

impl fmt::Display for MacAddr {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, f] = self.octets();
        write!(formatter, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}")
    }
}

impl fmt::Debug for MacAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for MacAddr {
    type Err = ParseMacError;

    fn from_str(text: &str) -> Result<Self, ParseMacError> {
        let separator = if text.contains('-') { '-' } else { ':' };
        let mut octets = [0; 6];
        let mut parts = text.split(separator);
        for octet in &mut octets {
            let part = parts.next().ok_or(ParseMacError)?;
            if part.len() != 2 || !part.bytes().all(|byte| byte.is_ascii_hexdigit()) {
                return Err(ParseMacError);
            }
            *octet = u8::from_str_radix(part, 16).map_err(|_| ParseMacError)?;
        }
        if parts.next().is_some() { Err(ParseMacError) } else { Ok(Self::new(octets)) }
    }
}

impl Ord for MacAddr {
    fn cmp(&self, other: &Self) -> Ordering {
        self.octets().cmp(&other.octets())
    }
}

impl PartialOrd for MacAddr {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    #[test]
    fn link_local_is_exactly_the_sixteen_addresses() {
        for last in 0..=255 {
            let mac = MacAddr::new([0x01, 0x80, 0xc2, 0, 0, last]);
            assert_eq!(mac.link_local(), (last < 16).then_some(last), "{mac}");
        }
        assert_eq!(MacAddr::new([0x01, 0x80, 0xc2, 0, 1, 0]).link_local(), None);
        assert_eq!(MacAddr::new([0x00, 0x80, 0xc2, 0, 0, 0]).link_local(), None);
    }

    #[test]
    fn kinds() {
        assert!(MacAddr::BROADCAST.is_group() && MacAddr::BROADCAST.is_broadcast());
        assert!(!MacAddr::ZERO.is_station() && !MacAddr::BROADCAST.is_station());
        assert!(MacAddr::new([2, 0, 0, 0, 0, 1]).is_station());
    }

    #[test]
    fn nonsense_is_refused() {
        for text in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:01:02",
            "2:0:0:0:0:1",
            "02:00:00:00:00:0g",
            "02-00:00:00:00:01",
            "+2:00:00:00:00:01",
        ] {
            assert_eq!(text.parse::<MacAddr>(), Err(ParseMacError), "{text}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trip(octets: [u8; 6]) {
            let mac = MacAddr::new(octets);
            prop_assert_eq!(mac.to_string().parse(), Ok(mac));
            prop_assert_eq!(mac.to_string().replace(':', "-").parse(), Ok(mac));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<MacAddr>();
        }

        #[test]
        fn bits_are_the_address(a: [u8; 6], b: [u8; 6]) {
            prop_assert_eq!(MacAddr::new(a).to_bits() == MacAddr::new(b).to_bits(), a == b);
            prop_assert_eq!(MacAddr::new(a).cmp(&MacAddr::new(b)), a.cmp(&b));
            prop_assert_eq!(MacAddr::from_bits(MacAddr::new(a).to_bits()).octets(), a);
        }
    }
}

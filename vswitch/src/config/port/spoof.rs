//! `spoof-check`: which addresses are bound to a port.

use std::net::{IpAddr, Ipv6Addr};

use vswitch_common::addr::MacAddr;

use crate::config::keys::{KeyError, KeyValue};

/// The key.
pub const KEY: &str = "spoof-check";

/// Addresses that a port may speak for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bound {
    /// Source MAC addresses.
    pub macs: Vec<MacAddr>,
    /// Addresses of IP; without any they do not matter.
    pub ips: Vec<Ipv6Addr>,
}

/// What is to become of the check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SpoofCheck {
    /// It stays as it is.
    #[default]
    Keep,
    /// No check; what is bound stays bound.
    Off,
    /// With what is bound already.
    On,
    /// With these.
    Bind(Bound),
}

impl SpoofCheck {
    /// Reads a word, if it is about this.
    pub fn set(&mut self, word: &KeyValue) -> Result<bool, KeyError> {
        if word.key != KEY {
            return Ok(false);
        }
        *self = match word.value.as_str() {
            "on" => Self::On,
            "off" => Self::Off,
            list => {
                let refuse =
                    || word.refuse("`on`, `off`, or MAC[,IP...] such as `02:00:00:00:00:01,10.0.0.2`");
                Self::Bind(Bound::parse(list).ok_or_else(refuse)?)
            }
        };
        Ok(true)
    }
}

impl Bound {
    fn parse(list: &str) -> Option<Self> {
        let mut bound = Self::default();
        for part in list.split(',') {
            if let Ok(ip) = part.parse::<IpAddr>() {
                if ip.is_unspecified() || ip.is_multicast() {
                    return None;
                }
                bound.ips.push(mapped(ip));
            } else {
                bound.macs.push(part.parse().ok().filter(|mac: &MacAddr| mac.is_station())?);
            }
        }
        (!bound.macs.is_empty()).then_some(bound)
    }

    /// The addresses in words: MAC addresses first.
    pub fn words(&self) -> Vec<String> {
        let ips = self.ips.iter().map(|ip| ip.to_canonical().to_string());
        self.macs.iter().map(ToString::to_string).chain(ips).collect()
    }
}

/// IPv4 as `::ffff:a.b.c.d`.
pub fn mapped(ip: IpAddr) -> Ipv6Addr {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(value: &str) -> Result<SpoofCheck, KeyError> {
        let mut check = SpoofCheck::default();
        let word = KeyValue { key: KEY.to_owned(), value: value.to_owned() };
        check.set(&word).map(|_| check)
    }

    #[test]
    fn lists_are_read() {
        assert_eq!((parse("on"), parse("off")), (Ok(SpoofCheck::On), Ok(SpoofCheck::Off)));
        let Ok(SpoofCheck::Bind(bound)) = parse("02:00:00:00:00:01,10.0.0.2,fd00::2") else {
            panic!("legal")
        };
        assert_eq!(bound.words(), ["02:00:00:00:00:01", "10.0.0.2", "fd00::2"]);
        for wrong in
            ["", "yes", "10.0.0.2", "02:00:00:00:00:01,", "01:00:00:00:00:01", "02:00:00:00:00:01,224.0.0.1"]
        {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}

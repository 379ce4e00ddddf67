//! What a port is to be like, checked as far as it can be without looking at the host.

use std::net::IpAddr;

use ipnet::IpNet;
use vswitch_common::{addr::MacAddr, port::Redirect, record::PortKind};

use crate::{
    config::port::PortOptions,
    control::{ControlError, fdb::check_station},
    name::{IfName, NsName},
};

/// Where the other end of a port is.
#[derive(Clone, Debug)]
pub enum Place {
    /// In a named namespace, which is made if it does not exist.
    Netns {
        /// The namespace.
        ns: NsName,
        /// The interface in it.
        ifname: IfName,
    },
    /// In the namespace of a process.
    Pid {
        /// The process.
        pid: u32,
        /// The interface in its namespace.
        ifname: IfName,
    },
    /// In the hands of the program that opens the tap.
    Tap {
        /// The user who may open it; root only if `None`.
        owner: Option<u32>,
        /// Whether frames carry a virtio-net header, which allows offloads.
        vnet_header: bool,
    },
    /// Wherever an existing device leads.
    Dev,
    /// Beside the port, on the host.
    Host {
        /// The interface that gets the address.
        ifname: IfName,
    },
}

/// A port to be made.
#[derive(Clone, Debug)]
pub struct PortRequest {
    /// Name of the port's device.
    pub name: IfName,
    /// Where it leads.
    pub place: Place,
    /// Addresses of the other end.
    pub ips: Vec<IpNet>,
    /// Its default gateway.
    pub via: Option<IpAddr>,
    /// Its MAC address; the kernel's choice if `None`.
    pub mac: Option<MacAddr>,
    /// MTU of both ends, in bytes of layer 3; 1500 if `None`.
    pub mtu: Option<u32>,
    /// Keys.
    pub options: PortOptions,
}

/// `ETH_MIN_MTU` and `ETH_MAX_MTU` of Linux.
const MTU_RANGE: std::ops::RangeInclusive<u32> = 68..=65_535;

impl PortRequest {
    /// The kind of port.
    pub fn kind(&self) -> PortKind {
        match self.place {
            Place::Netns { .. } => PortKind::Netns,
            Place::Pid { .. } => PortKind::Pid,
            Place::Tap { .. } => PortKind::Tap,
            Place::Dev => PortKind::Dev,
            Place::Host { .. } => PortKind::Host,
        }
    }

    /// Name of the interface at the other end, for a veth pair.
    pub fn peer_ifname(&self) -> Option<&IfName> {
        match &self.place {
            Place::Netns { ifname, .. } | Place::Pid { ifname, .. } | Place::Host { ifname } => Some(ifname),
            Place::Tap { .. } | Place::Dev => None,
        }
    }

    /// Refuses what cannot be, before anything is touched.
    pub fn check(&self) -> Result<(), ControlError> {
        if let Some(mac) = self.mac {
            check_station(mac)?;
        }
        if let Some(mtu) = self.mtu.filter(|mtu| !MTU_RANGE.contains(mtu)) {
            return Err(ControlError::Mtu { mtu });
        }
        if let Some(gateway) = self.via
            && !self.ips.iter().any(|net| net.contains(&gateway) && net.addr() != gateway)
            && !is_link_local(gateway, &self.ips)
        {
            let nets: Vec<String> = self.ips.iter().map(|net| net.trunc().to_string()).collect();
            let nets = if nets.is_empty() {
                "every subnet, since there is no `--ip`".to_owned()
            } else {
                nets.join(", ")
            };
            return Err(ControlError::Gateway { gateway: gateway.to_string(), nets });
        }
        self.check_kind()
    }

    fn check_kind(&self) -> Result<(), ControlError> {
        let kind = self.kind().word();
        let refuse = |option, remedy| Err(ControlError::Option { option, kind, remedy });
        if self.peer_ifname().is_none() {
            if !self.ips.is_empty() {
                return refuse("an address", "set it at the other end, which is not ours");
            }
            if self.mac.is_some() {
                return refuse("a MAC address", "set it at the other end, which is not ours");
            }
        }
        if matches!(self.place, Place::Dev) && self.mtu.is_some() {
            return refuse("an MTU", "an adopted device keeps its own; change it with `vswitch link set`");
        }
        let other_namespace = matches!(self.place, Place::Netns { .. } | Place::Pid { .. });
        if self.options.redirect == Some(Redirect::Peer) && !other_namespace {
            return refuse("`redirect=peer`", "its other end is not in another namespace; leave it out");
        }
        if let Place::Host { ifname } = &self.place
            && *ifname == self.name
        {
            return refuse("an interface of the same name", "choose another one with `--ifname`");
        }
        Ok(())
    }
}

/// Whether the gateway is on the link whatever the subnet: `fe80::/10`, for an interface with an IPv6 address.
fn is_link_local(gateway: IpAddr, ips: &[IpNet]) -> bool {
    let has_v6 = ips.iter().any(|net| net.addr().is_ipv6());
    matches!(gateway, IpAddr::V6(gateway) if has_v6 && gateway.is_unicast_link_local())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(place: Place) -> PortRequest {
        PortRequest {
            name: "web".parse().expect("name"),
            place,
            ips: Vec::new(),
            via: None,
            mac: None,
            mtu: None,
            options: PortOptions::default(),
        }
    }

    fn netns() -> Place {
        Place::Netns { ns: "web".parse().expect("name"), ifname: "eth0".parse().expect("name") }
    }

    #[test]
    fn a_gateway_must_be_in_a_subnet() {
        let ips = vec!["10.0.0.2/24".parse().expect("net")];
        let ask = |via: &str| {
            let via = Some(via.parse().expect("address"));
            PortRequest { ips: ips.clone(), via, ..request(netns()) }.check()
        };
        assert!(ask("10.0.0.1").is_ok());
        let error = ask("10.0.1.1").expect_err("outside").to_string();
        assert_eq!(error, "gateway 10.0.1.1 is outside 10.0.0.0/24; give it an address of the same subnet");
        assert!(ask("10.0.0.2").is_err(), "the interface itself");
        assert!(ask("fe80::1").is_err(), "no IPv6 address");
        let ips = vec!["2001:db8::2/64".parse().expect("net")];
        let via = Some("fe80::1".parse().expect("address"));
        assert!(PortRequest { ips, via, ..request(netns()) }.check().is_ok());
        assert!(
            PortRequest { via: Some("10.0.0.1".parse().expect("address")), ..request(netns()) }
                .check()
                .is_err()
        );
    }

    #[test]
    fn group_addresses_and_odd_sizes_are_refused() {
        let mac = Some(MacAddr::BROADCAST);
        assert!(PortRequest { mac, ..request(netns()) }.check().is_err());
        for (mtu, good) in [(67, false), (68, true), (65_535, true), (65_536, false)] {
            assert_eq!(PortRequest { mtu: Some(mtu), ..request(netns()) }.check().is_ok(), good, "{mtu}");
        }
    }

    #[test]
    fn options_must_suit_the_kind() {
        let ips = vec!["10.0.0.2/24".parse().expect("net")];
        let tap = || Place::Tap { owner: None, vnet_header: false };
        assert!(request(tap()).check().is_ok());
        assert!(PortRequest { ips, ..request(tap()) }.check().is_err());
        let options = PortOptions { redirect: Some(Redirect::Peer), ..PortOptions::default() };
        assert!(PortRequest { options: options.clone(), ..request(Place::Dev) }.check().is_err());
        assert!(PortRequest { options, ..request(netns()) }.check().is_ok());
    }
}

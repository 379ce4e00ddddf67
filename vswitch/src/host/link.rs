//! A link as the kernel describes it.

use ipnet::IpNet;
use rtnetlink::packet_core::Nla;
use rtnetlink::packet_route::{
    address::{AddressAttribute, AddressMessage},
    link::{
        AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoTun, LinkAttribute, LinkFlags, LinkInfo,
        LinkLayerType, LinkMessage,
    },
};
use serde::Serialize;
use vswitch_common::addr::MacAddr;

use super::LinkKind;

/// One network interface of one namespace.
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the kernel's")]
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name in its namespace.
    pub name: String,
    /// What it is.
    pub kind: LinkKind,
    /// Its Ethernet address, if it has one.
    pub mac: Option<MacAddr>,
    /// Bytes of layer 3 that one frame carries.
    pub mtu: u32,
    /// The least MTU that the device does; 0 if unknown.
    pub min_mtu: u32,
    /// The most MTU that the device does; `u32::MAX` if the driver sets no limit.
    pub max_mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Operational: up, with carrier, and the kernel's link watch has activated its queues. That lags behind
    /// `carrier` by up to a second.
    pub running: bool,
    /// Up and with carrier at this moment: what is connected to it is up as well (`IFF_LOWER_UP`).
    pub carrier: bool,
    /// Somebody set the promiscuous flag. Programs that merely count on it are not seen here.
    pub promiscuous: bool,
    /// Its link group; 0 if nobody chose one.
    pub group: u32,
    /// The description that somebody gave it.
    pub alias: Option<String>,
    /// Index of the bridge, bond or VRF that it is part of.
    pub master: Option<u32>,
    /// Index of the other end of a cable, or of the device below (macvlan, vlan, ...), in the namespace `peer_nsid`.
    pub peer_index: Option<u32>,
    /// Number of the namespace that `peer_index` is in, as seen from this link's; none: the same namespace.
    pub peer_nsid: Option<i32>,
    /// It makes no IPv6 address for itself (`addrgenmode none`).
    pub addr_gen_none: bool,
    /// Its IP addresses.
    pub addresses: Vec<LinkAddress>,
    /// More about a tun or tap.
    pub tun: Option<TunDetails>,
}

/// An IP address of a link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LinkAddress {
    /// Address and prefix length.
    pub ip: IpNet,
    /// Where it is valid: `universe`, `site`, `link` or `host`.
    pub scope: String,
}

/// How a tun or tap was made (Linux 4.20).
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the kernel's")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TunDetails {
    /// It stays when no process has it open.
    pub persistent: bool,
    /// User that may open it.
    pub owner: Option<u32>,
    /// Group that may open it.
    pub group: Option<u32>,
    /// Several processes or threads may each have a queue.
    pub multi_queue: bool,
    /// Every frame begins with a `virtio_net_hdr`, so that offloads pass.
    pub vnet_header: bool,
    /// Every frame begins with four bytes of flags and protocol.
    pub packet_information: bool,
    /// Queues that a process has open now.
    pub queues: u32,
}

impl Link {
    /// From the kernel's description, without the addresses.
    pub(super) fn from_message(message: &LinkMessage) -> Self {
        let flags = message.header.flags;
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            kind: match message.header.link_layer_type {
                LinkLayerType::Loopback => LinkKind::Loopback,
                LinkLayerType::Ether => LinkKind::Physical,
                other => LinkKind::Other(format!("{other:?}").to_lowercase()),
            },
            mac: None,
            mtu: 0,
            min_mtu: 0,
            max_mtu: u32::MAX,
            up: flags.contains(LinkFlags::Up),
            running: flags.contains(LinkFlags::Up | LinkFlags::Running),
            carrier: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
            promiscuous: flags.contains(LinkFlags::Promisc),
            group: 0,
            alias: None,
            master: None,
            peer_index: None,
            peer_nsid: None,
            addr_gen_none: false,
            addresses: Vec::new(),
            tun: None,
        };
        for attribute in &message.attributes {
            link.take(attribute);
        }
        link
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the kernel's attributes are many and grow")]
    fn take(&mut self, attribute: &LinkAttribute) {
        match attribute {
            LinkAttribute::IfName(name) => self.name.clone_from(name),
            LinkAttribute::Address(octets) => self.mac = octets.as_slice().try_into().ok().map(MacAddr::new),
            LinkAttribute::Group(group) => self.group = *group,
            LinkAttribute::IfAlias(alias) => self.alias = Some(alias.clone()),
            LinkAttribute::Mtu(mtu) => self.mtu = *mtu,
            LinkAttribute::MinMtu(mtu) => self.min_mtu = *mtu,
            LinkAttribute::MaxMtu(mtu) if *mtu > 0 => self.max_mtu = *mtu,
            LinkAttribute::Controller(index) if *index > 0 => self.master = Some(*index),
            LinkAttribute::Link(index) if *index > 0 => self.peer_index = Some(*index),
            LinkAttribute::LinkNetNsId(nsid) if *nsid >= 0 => self.peer_nsid = Some(*nsid),
            LinkAttribute::AfSpecUnspec(families) => {
                self.addr_gen_none = families.iter().any(|family| match family {
                    AfSpecUnspec::Inet6(facts) => {
                        facts.contains(&AfSpecInet6::AddrGenMode(In6AddrGenMode::None))
                    }
                    _ => false,
                });
            }
            LinkAttribute::LinkInfo(infos) => infos.iter().for_each(|info| self.take_info(info)),
            _ => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the kernel's attributes are many and grow")]
    fn take_info(&mut self, info: &LinkInfo) {
        match info {
            LinkInfo::Kind(kind) => self.kind = LinkKind::from_word(&kind.to_string()),
            LinkInfo::Data(InfoData::Tun(attributes)) => {
                let (details, is_tap) = tun_details(attributes);
                self.tun = Some(details);
                if is_tap {
                    self.kind = LinkKind::Tap;
                }
            }
            _ => {}
        }
    }
}

/// The attributes of a tun, and whether it is a tap (`IFLA_TUN_*` in the kernel's `if_link.h`).
fn tun_details(attributes: &[InfoTun]) -> (TunDetails, bool) {
    const IFF_TAP: u32 = 2;
    let mut details = TunDetails::default();
    let mut is_tap = false;
    for attribute in attributes {
        let mut bytes = vec![0; attribute.value_len()];
        attribute.emit_value(&mut bytes);
        let value = match bytes.as_slice() {
            [byte] => u32::from(*byte),
            &[a, b, c, d] => u32::from_ne_bytes([a, b, c, d]),
            _ => continue,
        };
        match attribute.kind() {
            1 => details.owner = Some(value),
            2 => details.group = Some(value),
            3 => is_tap = value == IFF_TAP,
            4 => details.packet_information = value != 0,
            5 => details.vnet_header = value != 0,
            6 => details.persistent = value != 0,
            7 => details.multi_queue = value != 0,
            8 => details.queues = value,
            _ => {}
        }
    }
    (details, is_tap)
}

impl LinkAddress {
    /// From the kernel's description.
    pub(super) fn from_message(message: &AddressMessage) -> Option<Self> {
        let of = |local: bool| {
            message.attributes.iter().find_map(|attribute| match attribute {
                AddressAttribute::Local(ip) if local => Some(*ip),
                AddressAttribute::Address(ip) if !local => Some(*ip),
                _ => None,
            })
        };
        // On a point-to-point link ADDRESS is the other side's and LOCAL is ours; IPv6 often has no LOCAL.
        let ip = IpNet::new(of(true).or_else(|| of(false))?, message.header.prefix_len).ok()?;
        Some(Self { ip, scope: message.header.scope.to_string() })
    }
}

#[cfg(test)]
mod tests {
    use rtnetlink::packet_core::DefaultNla;

    use super::*;

    #[test]
    fn a_tap_is_told_from_a_tun_by_its_attributes() {
        let attribute = |kind, value: &[u8]| InfoTun::Other(DefaultNla::new(kind, value.to_vec()));
        let attributes = [
            attribute(3, &[2]),
            attribute(4, &[0]),
            attribute(5, &[1]),
            attribute(6, &[1]),
            attribute(7, &[0]),
            attribute(1, &1000_u32.to_ne_bytes()),
        ];
        let (details, is_tap) = tun_details(&attributes);
        assert!(is_tap);
        assert_eq!(
            details,
            TunDetails { persistent: true, owner: Some(1000), vnet_header: true, ..TunDetails::default() }
        );
        assert!(!tun_details(&[attribute(3, &[1])]).1);
    }

    #[test]
    fn a_veth_names_its_peer_and_the_peers_namespace() {
        let mut message = LinkMessage::default();
        message.header.index = 7;
        message.header.link_layer_type = LinkLayerType::Ether;
        message.header.flags = LinkFlags::Up | LinkFlags::Running;
        message.attributes = vec![
            LinkAttribute::IfName("web".into()),
            LinkAttribute::Address(vec![2, 0, 0, 0, 0, 1]),
            LinkAttribute::Link(2),
            LinkAttribute::LinkNetNsId(3),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind("veth".into())]),
        ];
        let link = Link::from_message(&message);
        assert_eq!((link.kind, link.peer_index, link.peer_nsid), (LinkKind::Veth, Some(2), Some(3)));
        assert!(link.up && link.running && !link.promiscuous);
        assert_eq!(link.mac, Some(MacAddr::new([2, 0, 0, 0, 0, 1])));
    }
}

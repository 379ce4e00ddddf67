//! What a link loses when it is moved to another namespace, and giving it back.

use nix::errno::Errno;
use rtnetlink::packet_route::{
    AddressFamily, RouteNetlinkMessage,
    address::{AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressProtocol},
    route::{RouteAttribute, RouteFlags, RouteMessage, RouteProtocol, RouteType},
};

use super::{Host, HostError, Link, LinkAddress, error::Refusal};

/// The configuration of a link.
#[derive(Clone, Debug)]
pub(super) struct Snapshot {
    link: Link,
    addresses: Vec<AddressMessage>,
    routes: Vec<RouteMessage>,
}

impl Host {
    /// Notes the configuration of a link: its state, the addresses that it did not make itself, and the routes through
    /// it that the kernel does not make by itself.
    pub(super) async fn snapshot(&self, link: &Link) -> Result<Snapshot, HostError> {
        let about = |refusal: Refusal| refusal.error(format!("note the configuration of `{}`", link.name));
        let addresses = self.address_messages(link.index).await.map_err(about)?;
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            routes.extend(self.routes_through(link.index, family).await.map_err(about)?);
        }
        // A gateway must be reachable when the route to it is made.
        routes.sort_by_key(has_gateway);
        let addresses = addresses.into_iter().filter(|message| !is_automatic(message)).collect();
        Ok(Snapshot { link: link.clone(), addresses, routes })
    }

    async fn routes_through(&self, index: u32, family: AddressFamily) -> Result<Vec<RouteMessage>, Refusal> {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        let answers = self.dump(RouteNetlinkMessage::GetRoute(request)).await?;
        let routes = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewRoute(route) => Some(route),
            _ => None,
        });
        Ok(routes.filter(|route| route.header.address_family == family && is_kept(route, index)).collect())
    }

    /// Gives a link its configuration; tells which routes could not be made.
    pub(super) async fn restore(&self, index: u32, snapshot: &Snapshot) -> Result<Vec<String>, HostError> {
        let Snapshot { link, addresses, routes } = snapshot;
        let now = self.link_by_index(index).await?.ok_or(HostError::LinkGone { index })?;
        if now.mtu != link.mtu {
            self.set_mtu(index, link.mtu).await?;
        }
        if link.addr_gen_none {
            self.set_addr_gen_none(index).await?;
        }
        for message in addresses {
            match self.add_address_message(renewed(message, index)).await {
                Ok(()) | Err(Refusal { errno: Errno::EEXIST, .. }) => {}
                Err(refusal) => {
                    let ip = LinkAddress::from_message(message).map(|address| address.ip.to_string());
                    let ip = ip.unwrap_or_default();
                    return Err(refusal.error(format!("give `{}` its address `{ip}` back", link.name)));
                }
            }
        }
        if link.promiscuous && !now.promiscuous {
            self.set_promiscuous(index, true).await?;
        }
        if now.up != link.up {
            self.set_up(index, link.up).await?;
        }
        let mut lost = Vec::new();
        for route in routes {
            match self.add_route_message(rerouted(route, index)).await {
                Ok(()) | Err(Refusal { errno: Errno::EEXIST, .. }) => {}
                Err(refusal) => lost.push(format!("the route to {} ({})", describe(route), refusal.reason())),
            }
        }
        Ok(lost)
    }
}

/// Whether the kernel makes such an address by itself, so that a copy of it would be one too many.
fn is_automatic(message: &AddressMessage) -> bool {
    let protocol = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Protocol(protocol) => Some(*protocol),
        _ => None,
    });
    match protocol {
        Some(AddressProtocol::Other(_)) => false,
        Some(_) => true,
        // Kernels before 5.18 do not tell. One made from the MAC address is the same again, one made at random is not.
        None => flags_of(message).contains(AddressFlags::StablePrivacy),
    }
}

fn flags_of(message: &AddressMessage) -> AddressFlags {
    let full = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Flags(flags) => Some(*flags),
        _ => None,
    });
    full.unwrap_or_else(|| AddressFlags::from_bits_retain(u32::from(message.header.flags.bits())))
}

/// A request for the same address on the link with this index.
pub(super) fn renewed(message: &AddressMessage, index: u32) -> AddressMessage {
    let wishes = AddressFlags::Nodad
        | AddressFlags::Homeaddress
        | AddressFlags::Managetempaddr
        | AddressFlags::Noprefixroute
        | AddressFlags::Mcautojoin;
    let flags = flags_of(message) & wishes;
    let permanent = flags_of(message).contains(AddressFlags::Permanent);
    let mut message = message.clone();
    message.header.index = index;
    message.header.flags = AddressHeaderFlags::empty();
    message.attributes.retain(|attribute| match attribute {
        // What the kernel told about it, rather than what was asked for.
        AddressAttribute::Flags(_) => false,
        AddressAttribute::CacheInfo(_) => !permanent,
        _ => true,
    });
    message.attributes.push(AddressAttribute::Flags(flags));
    message
}

/// Whether a route leads through this link alone and was made by somebody else than the kernel.
fn is_kept(route: &RouteMessage, index: u32) -> bool {
    let through = route.attributes.contains(&RouteAttribute::Oif(index));
    let made_by_kernel = matches!(route.header.protocol, RouteProtocol::Kernel | RouteProtocol::Ra);
    let copy = route.header.flags.contains(RouteFlags::Cloned);
    through && !made_by_kernel && !copy && route.header.kind == RouteType::Unicast
}

fn has_gateway(route: &RouteMessage) -> bool {
    route
        .attributes
        .iter()
        .any(|attribute| matches!(attribute, RouteAttribute::Gateway(_) | RouteAttribute::Via(_)))
}

/// A request for the same route through the link with this index.
fn rerouted(route: &RouteMessage, index: u32) -> RouteMessage {
    let mut route = route.clone();
    route.header.flags &= RouteFlags::Onlink;
    route
        .attributes
        .retain(|attribute| !matches!(attribute, RouteAttribute::CacheInfo(_) | RouteAttribute::Oif(_)));
    route.attributes.push(RouteAttribute::Oif(index));
    route
}

fn describe(route: &RouteMessage) -> String {
    let target = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(address) => Some(address_text(address)),
        _ => None,
    });
    match target {
        Some(target) => format!("{target}/{}", route.header.destination_prefix_length),
        None => "default".to_owned(),
    }
}

fn address_text(address: &rtnetlink::packet_route::route::RouteAddress) -> String {
    use rtnetlink::packet_route::route::RouteAddress;
    match address {
        RouteAddress::Inet(ip) => ip.to_string(),
        RouteAddress::Inet6(ip) => ip.to_string(),
        other => format!("{other:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use rtnetlink::packet_route::address::CacheInfo;

    use super::*;

    fn address(ip: IpAddr, attributes: &[AddressAttribute]) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.index = 3;
        message.attributes = vec![AddressAttribute::Address(ip)];
        message.attributes.extend_from_slice(attributes);
        message
    }

    #[test]
    fn the_kernels_own_addresses_are_not_copied() {
        let ip = IpAddr::V6(Ipv6Addr::LOCALHOST);
        let made_by = |protocol| is_automatic(&address(ip, &[AddressAttribute::Protocol(protocol)]));
        assert!(made_by(AddressProtocol::LinkLocal) && made_by(AddressProtocol::RouterAnnouncement));
        assert!(!made_by(AddressProtocol::Other(9)) && !is_automatic(&address(ip, &[])));
        assert!(is_automatic(&address(ip, &[AddressAttribute::Flags(AddressFlags::StablePrivacy)])));
    }

    #[test]
    fn an_address_is_asked_for_as_it_was_asked_for_before() {
        let told = [
            AddressAttribute::Label("a:first".into()),
            AddressAttribute::CacheInfo(CacheInfo::default()),
            AddressAttribute::Flags(AddressFlags::Permanent | AddressFlags::Secondary | AddressFlags::Nodad),
        ];
        let message = renewed(&address(IpAddr::V4(Ipv4Addr::LOCALHOST), &told), 8);
        assert_eq!(message.header.index, 8);
        let expected = [told[0].clone(), AddressAttribute::Flags(AddressFlags::Nodad)];
        assert_eq!(message.attributes[1..], expected);
        // One that expires keeps the time that it has left.
        let expiring = renewed(&address(IpAddr::V4(Ipv4Addr::LOCALHOST), &told[1..2]), 8);
        assert!(expiring.attributes.contains(&told[1]));
    }

    #[test]
    fn only_routes_of_others_through_this_link_are_kept() {
        let route = |protocol, index| {
            let mut route = RouteMessage::default();
            route.header.kind = RouteType::Unicast;
            route.header.protocol = protocol;
            route.attributes = vec![RouteAttribute::Oif(index)];
            route
        };
        assert!(is_kept(&route(RouteProtocol::Static, 3), 3));
        assert!(!is_kept(&route(RouteProtocol::Static, 4), 3));
        assert!(!is_kept(&route(RouteProtocol::Kernel, 3), 3));
        assert!(!is_kept(&route(RouteProtocol::Ra, 3), 3));
        assert_eq!(rerouted(&route(RouteProtocol::Static, 3), 9).attributes, [RouteAttribute::Oif(9)]);
        assert_eq!(describe(&route(RouteProtocol::Static, 3)), "default");
    }
}

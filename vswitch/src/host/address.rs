//! IP addresses and default routes.

use std::net::IpAddr;

use ipnet::IpNet;
use nix::errno::Errno;
use rtnetlink::{
    AddressMessageBuilder,
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        address::AddressMessage,
        route::{RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType},
    },
};

use super::{
    Host, HostError, LinkAddress,
    error::Refusal,
    netlink::{CHANGE, CREATE},
};

impl Host {
    /// Gives a link an address; IPv4 ones get the broadcast address of their subnet.
    ///
    /// # Errors
    /// [`HostError::AddressExists`] if it has it already.
    pub async fn add_address(&self, index: u32, ip: IpNet) -> Result<(), HostError> {
        let Err(refusal) = self.add_address_message(address_message(index, ip)).await else {
            return Ok(());
        };
        Err(match refusal.errno {
            Errno::EEXIST => HostError::AddressExists { ip, name: self.name_of(index).await },
            _ => self.about(index, refusal, |name| format!("give {name} the address `{ip}`")).await,
        })
    }

    /// Takes an address from a link.
    ///
    /// # Errors
    /// [`HostError::NoSuchAddress`] if it has no such address with this prefix length.
    pub async fn del_address(&self, index: u32, ip: IpNet) -> Result<(), HostError> {
        let message = self.address_message_of(index, ip).await?;
        let answer = self.request(RouteNetlinkMessage::DelAddress(message), CHANGE).await;
        let Err(refusal) = answer else { return Ok(()) };
        Err(self.about(index, refusal, |name| format!("take the address `{ip}` from {name}")).await)
    }

    /// The kernel's description of an address of a link.
    pub(super) async fn address_message_of(
        &self,
        index: u32,
        ip: IpNet,
    ) -> Result<AddressMessage, HostError> {
        let all = match self.address_messages(index).await {
            Ok(all) => all,
            Err(refusal) => {
                return Err(self.about(index, refusal, |name| format!("list the addresses of {name}")).await);
            }
        };
        let is_it =
            |message: &AddressMessage| LinkAddress::from_message(message).is_some_and(|found| found.ip == ip);
        match all.into_iter().find(is_it) {
            Some(message) => Ok(message),
            None => Err(HostError::NoSuchAddress { ip, name: self.name_of(index).await }),
        }
    }

    pub(super) async fn add_address_message(&self, message: AddressMessage) -> Result<(), Refusal> {
        self.request(RouteNetlinkMessage::NewAddress(message), CREATE).await.map(drop)
    }

    /// Sends everything that has no better way to a gateway behind a link, which must be up.
    pub async fn add_default_route(&self, index: u32, gateway: IpAddr) -> Result<(), HostError> {
        let mut message = RouteMessage::default();
        message.header.address_family = match gateway {
            IpAddr::V4(_) => AddressFamily::Inet,
            IpAddr::V6(_) => AddressFamily::Inet6,
        };
        message.header.table = RouteHeader::RT_TABLE_MAIN;
        message.header.protocol = RouteProtocol::Static;
        message.header.scope = RouteScope::Universe;
        message.header.kind = RouteType::Unicast;
        message.attributes = vec![RouteAttribute::Gateway(gateway.into()), RouteAttribute::Oif(index)];
        let Err(mut refusal) = self.add_route_message(message).await else {
            return Ok(());
        };
        match refusal.errno {
            Errno::EEXIST => {
                refusal.said = Some("there is a default route already; delete that first".into());
            }
            Errno::ENETUNREACH | Errno::EHOSTUNREACH => {
                refusal.said = Some(
                    "it is in no subnet of that interface; give it an address of that subnet first".into(),
                );
            }
            _ => {}
        }
        Err(self
            .about(index, refusal, |name| format!("make `{gateway}` the default gateway on {name}"))
            .await)
    }

    pub(super) async fn add_route_message(&self, message: RouteMessage) -> Result<(), Refusal> {
        self.request(RouteNetlinkMessage::NewRoute(message), CREATE).await.map(drop)
    }
}

fn address_message(index: u32, ip: IpNet) -> AddressMessage {
    match ip {
        IpNet::V4(ip) => AddressMessageBuilder::<std::net::Ipv4Addr>::new()
            .index(index)
            .address(ip.addr(), ip.prefix_len())
            .build(),
        IpNet::V6(ip) => AddressMessageBuilder::<std::net::Ipv6Addr>::new()
            .index(index)
            .address(ip.addr(), ip.prefix_len())
            .build(),
    }
}

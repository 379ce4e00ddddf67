//! Changes to a link that is there.

use nix::errno::Errno;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{AfSpecInet6, AfSpecUnspec, In6AddrGenMode, LinkAttribute, LinkFlags, LinkMessage},
};
use vswitch_common::addr::MacAddr;

use super::{Host, HostError, error::Refusal, netlink::CHANGE};
use crate::name::IfName;

impl Host {
    /// Deletes a link. The other end of a cable goes with it.
    pub async fn delete_link(&self, index: u32) -> Result<(), HostError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        let answer = self.request(RouteNetlinkMessage::DelLink(message), CHANGE).await;
        let Err(mut refusal) = answer else { return Ok(()) };
        if refusal.errno == Errno::EOPNOTSUPP {
            refusal.said = Some("the kernel deletes software devices only; take it down instead".into());
        }
        Err(self.about(index, refusal, |name| format!("delete {name}")).await)
    }

    /// Brings a link up or down.
    pub async fn set_up(&self, index: u32, up: bool) -> Result<(), HostError> {
        let doing = |name: &str| format!("bring {name} {}", if up { "up" } else { "down" });
        match self.set_flag(index, LinkFlags::Up, up).await {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.about(index, refusal, doing).await),
        }
    }

    /// Sets or clears the promiscuous flag. The kernel counts it together with everybody else's wish, so clearing it
    /// takes back this wish only.
    pub async fn set_promiscuous(&self, index: u32, on: bool) -> Result<(), HostError> {
        let doing =
            |name: &str| format!("make {name} {}", if on { "promiscuous" } else { "not promiscuous" });
        match self.set_flag(index, LinkFlags::Promisc, on).await {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.about(index, refusal, doing).await),
        }
    }

    /// Sets the description, which goes with the device wherever it is moved.
    pub async fn set_alias(&self, index: u32, alias: &str) -> Result<(), HostError> {
        match self.set_attribute(index, LinkAttribute::IfAlias(alias.to_owned())).await {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.about(index, refusal, |name| format!("describe {name}")).await),
        }
    }

    /// Sets the MTU, in bytes of layer 3.
    ///
    /// # Errors
    /// [`HostError::MtuOutOfRange`] with the device's range.
    pub async fn set_mtu(&self, index: u32, mtu: u32) -> Result<(), HostError> {
        let Err(refusal) = self.set_attribute(index, LinkAttribute::Mtu(mtu)).await else {
            return Ok(());
        };
        if matches!(refusal.errno, Errno::EINVAL | Errno::ERANGE)
            && let Some(link) = self.link_by_index(index).await?
            && !(link.min_mtu..=link.max_mtu).contains(&mtu)
        {
            return Err(HostError::MtuOutOfRange {
                name: link.name,
                mtu,
                min: link.min_mtu,
                max: link.max_mtu,
            });
        }
        Err(self.about(index, refusal, |name| format!("set MTU {mtu} on {name}")).await)
    }

    /// Sets the Ethernet address.
    ///
    /// # Errors
    /// [`HostError::NotStation`] for a group or zero address.
    pub async fn set_mac(&self, index: u32, mac: MacAddr) -> Result<(), HostError> {
        HostError::check_station(mac)?;
        let address = LinkAttribute::Address(mac.octets().to_vec());
        let Err(refusal) = self.set_attribute(index, address).await else {
            return Ok(());
        };
        Err(self.about(index, refusal, |name| format!("set address `{mac}` on {name}")).await)
    }

    /// Renames a link. Before Linux 6.2 it must be down.
    ///
    /// # Errors
    /// [`HostError::LinkExists`] if the name is taken.
    pub async fn set_name(&self, index: u32, name: &IfName) -> Result<(), HostError> {
        let answer = self.set_attribute(index, LinkAttribute::IfName(name.to_string())).await;
        match answer {
            Ok(()) => Ok(()),
            Err(Refusal { errno: Errno::EEXIST, .. }) => {
                Err(HostError::LinkExists { name: name.to_string() })
            }
            Err(refusal) => Err(self.about(index, refusal, |old| format!("rename {old} to `{name}`")).await),
        }
    }

    /// Puts a link into a bridge, bond or VRF, or takes it out.
    pub async fn set_master(&self, index: u32, master: Option<u32>) -> Result<(), HostError> {
        let answer = self.set_attribute(index, LinkAttribute::Controller(master.unwrap_or(0))).await;
        let Err(mut refusal) = answer else { return Ok(()) };
        let Some(master) = master else {
            return Err(self.about(index, refusal, |name| format!("take {name} out of its master")).await);
        };
        if refusal.errno == Errno::EOPNOTSUPP && refusal.said.is_none() {
            refusal.said = Some("the latter takes no ports; give a bridge, bond or VRF".into());
        }
        let into = self.name_of(master).await;
        Err(self.about(index, refusal, |name| format!("put {name} into {into}")).await)
    }

    /// Lets a link make no IPv6 address for itself, so that it never speaks IPv6 unless told to.
    pub async fn set_addr_gen_none(&self, index: u32) -> Result<(), HostError> {
        let spec = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        match self.set_attribute(index, LinkAttribute::AfSpecUnspec(vec![spec])).await {
            // A link or kernel without IPv6 makes no address either.
            Ok(()) | Err(Refusal { errno: Errno::EAFNOSUPPORT, .. }) => Ok(()),
            Err(refusal) => Err(self
                .about(index, refusal, |name| format!("switch off the IPv6 addresses of {name}"))
                .await),
        }
    }

    async fn set_flag(&self, index: u32, flag: LinkFlags, on: bool) -> Result<(), Refusal> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = flag;
        message.header.flags = if on { flag } else { LinkFlags::empty() };
        self.request(RouteNetlinkMessage::NewLink(message), CHANGE).await.map(drop)
    }

    pub(super) async fn set_attribute(&self, index: u32, attribute: LinkAttribute) -> Result<(), Refusal> {
        self.set_attributes(index, vec![attribute]).await
    }

    /// Changes several attributes with one request, which the kernel applies one after the other.
    pub(super) async fn set_attributes(
        &self,
        index: u32,
        attributes: Vec<LinkAttribute>,
    ) -> Result<(), Refusal> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = attributes;
        self.request(RouteNetlinkMessage::NewLink(message), CHANGE).await.map(drop)
    }
}

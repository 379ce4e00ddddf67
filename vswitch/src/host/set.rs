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
        answer.map(drop).map_err(|refusal| match refusal.errno {
            Errno::EOPNOTSUPP => HostError::Refused {
                doing: format!("delete interface number {index}"),
                errno: refusal.errno,
                reason: "the kernel does not let it be deleted; only software devices can be".into(),
            },
            _ => refusal.about(index, format!("delete interface number {index}")),
        })
    }

    /// Brings a link up or down.
    pub async fn set_up(&self, index: u32, up: bool) -> Result<(), HostError> {
        let doing = || {
            format!(
                "bring interface number {index} {}",
                if up { "up" } else { "down" }
            )
        };
        self.set_flag(index, LinkFlags::Up, up)
            .await
            .map_err(|refusal| refusal.about(index, doing()))
    }

    /// Sets or clears the promiscuous flag. The kernel counts it together with everybody else's wish, so clearing it
    /// takes back this wish only.
    pub async fn set_promiscuous(&self, index: u32, on: bool) -> Result<(), HostError> {
        let doing = || format!("make interface number {index} promiscuous or not");
        self.set_flag(index, LinkFlags::Promisc, on)
            .await
            .map_err(|refusal| refusal.about(index, doing()))
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
        Err(refusal.about(index, format!("set MTU {mtu} on interface number {index}")))
    }

    /// Sets the Ethernet address.
    ///
    /// # Errors
    /// [`HostError::NotStation`] for a group or zero address.
    pub async fn set_mac(&self, index: u32, mac: MacAddr) -> Result<(), HostError> {
        HostError::check_station(mac)?;
        let answer = self
            .set_attribute(index, LinkAttribute::Address(mac.octets().to_vec()))
            .await;
        answer.map_err(|refusal| {
            refusal.about(index, format!("set address `{mac}` on interface number {index}"))
        })
    }

    /// Renames a link.
    pub async fn set_name(&self, index: u32, name: &IfName) -> Result<(), HostError> {
        let answer = self
            .set_attribute(index, LinkAttribute::IfName(name.to_string()))
            .await;
        answer.map_err(|refusal| match refusal.errno {
            Errno::EEXIST => HostError::LinkExists {
                name: name.to_string(),
            },
            _ => refusal.about(index, format!("rename interface number {index} to `{name}`")),
        })
    }

    /// Puts a link into a bridge, bond or VRF, or takes it out.
    pub async fn set_master(&self, index: u32, master: Option<u32>) -> Result<(), HostError> {
        let answer = self
            .set_attribute(index, LinkAttribute::Controller(master.unwrap_or(0)))
            .await;
        let doing = || match master {
            Some(master) => format!("put interface number {index} into device number {master}"),
            None => format!("take interface number {index} out of its master"),
        };
        answer.map_err(|refusal| match (refusal.errno, master) {
            (Errno::EOPNOTSUPP, Some(_)) => HostError::Refused {
                doing: doing(),
                errno: refusal.errno,
                reason: "that device takes no ports; give a bridge, bond or VRF".into(),
            },
            _ => refusal.about(index, doing()),
        })
    }

    /// Lets a link make no IPv6 address for itself, so that it never speaks IPv6 unless told to.
    pub async fn set_addr_gen_none(&self, index: u32) -> Result<(), HostError> {
        let spec = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(In6AddrGenMode::None)]);
        match self
            .set_attribute(index, LinkAttribute::AfSpecUnspec(vec![spec]))
            .await
        {
            // A link or kernel without IPv6 makes no address either.
            Err(Refusal {
                errno: Errno::EAFNOSUPPORT,
                ..
            }) => Ok(()),
            answer => answer.map_err(|refusal| {
                refusal.about(
                    index,
                    format!("switch off IPv6 addresses on interface number {index}"),
                )
            }),
        }
    }

    async fn set_flag(&self, index: u32, flag: LinkFlags, on: bool) -> Result<(), Refusal> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = flag;
        message.header.flags = if on { flag } else { LinkFlags::empty() };
        self.request(RouteNetlinkMessage::NewLink(message), CHANGE)
            .await
            .map(drop)
    }

    async fn set_attribute(&self, index: u32, attribute: LinkAttribute) -> Result<(), Refusal> {
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
        self.request(RouteNetlinkMessage::NewLink(message), CHANGE)
            .await
            .map(drop)
    }
}

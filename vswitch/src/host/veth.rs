//! Virtual cables.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{InfoData, InfoKind, InfoVeth, LinkAttribute, LinkInfo, LinkMessage},
};
use vswitch_common::addr::MacAddr;

use super::{Host, HostError, gro::set_gro, netlink::CREATE, netns::Netns};
use crate::name::IfName;

/// What a pair is to be like.
#[derive(Clone, Copy, Debug)]
pub struct VethSpec<'a> {
    /// Name of the end in the connection's namespace.
    pub name: &'a IfName,
    /// Name of the other end.
    pub peer_name: &'a IfName,
    /// Where the other end is; none: in the same namespace.
    pub peer_netns: Option<&'a Netns>,
    /// Address of this end; none: the kernel makes one up.
    pub mac: Option<MacAddr>,
    /// Address of the other end.
    pub peer_mac: Option<MacAddr>,
    /// MTU of both ends; none: 1500.
    pub mtu: Option<u32>,
    /// Queues of each end in each direction; the number of CPUs suits best. At least 1 and at most 4096 are used.
    pub queues: u32,
}

/// The MTU that a veth does, in bytes (`ETH_MIN_MTU` and `ETH_MAX_MTU` in Linux).
const MTU_RANGE: (u32, u32) = (68, 65_535);

/// BIG TCP: the largest aggregate that a veth may carry, in bytes.
const BIG_TCP: u32 = 196_608;

impl Host {
    /// Makes a pair, both ends with one message: the other end comes to life right inside its namespace.
    ///
    /// # Errors
    /// [`HostError::LinkExists`], [`HostError::MtuOutOfRange`], [`HostError::NotStation`]; nothing is made then.
    pub async fn add_veth(&self, spec: &VethSpec<'_>) -> Result<(), HostError> {
        let VethSpec { name, peer_name, peer_netns, mac, peer_mac, mtu, queues } = *spec;
        for address in [mac, peer_mac].into_iter().flatten() {
            HostError::check_station(address)?;
        }
        let (min, max) = MTU_RANGE;
        if let Some(mtu) = mtu.filter(|mtu| !(min..=max).contains(mtu)) {
            return Err(HostError::MtuOutOfRange { name: name.to_string(), mtu, min, max });
        }
        let mut peer = end(peer_name, peer_mac, mtu, queues);
        if let Some(ns) = peer_netns {
            peer.attributes.push(LinkAttribute::NetNsFd(ns.as_fd().as_raw_fd()));
        }
        let mut message = end(name, mac, mtu, queues);
        message.attributes.push(LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]));
        let Err(refusal) = self.request(RouteNetlinkMessage::NewLink(message), CREATE).await else {
            return Ok(());
        };
        Err(match refusal.errno {
            // The kernel does not say which of both; the own name can be looked up.
            Errno::EEXIST if self.link(name).await.is_ok() => {
                HostError::LinkExists { name: name.to_string() }
            }
            Errno::EEXIST => HostError::LinkExists { name: peer_name.to_string() },
            Errno::EOPNOTSUPP => HostError::NoSuchKind { kind: "veth", config: "CONFIG_VETH" },
            _ => refusal.error(format!("make the veth pair `{name}` and `{peer_name}`")),
        })
    }

    /// Prepares one end of a pair for speed: aggregates of up to 192 KiB (BIG TCP; Linux 5.19 for IPv6, 6.3 for IPv4)
    /// and GRO. An older kernel keeps its 64 KiB.
    pub async fn tune_veth(&self, index: u32) -> Result<(), HostError> {
        // A kernel that does not know the IPv4 ones ignores them.
        let sizes = vec![
            LinkAttribute::GsoMaxSize(BIG_TCP),
            LinkAttribute::GroMaxSize(BIG_TCP),
            LinkAttribute::GsoIpv4MaxSize(BIG_TCP),
            LinkAttribute::GroIpv4MaxSize(BIG_TCP),
        ];
        if let Err(refusal) = self.set_attributes(index, sizes).await {
            if !matches!(refusal.errno, Errno::EINVAL | Errno::ERANGE | Errno::EOPNOTSUPP) {
                return Err(self
                    .about(index, refusal, |name| format!("set the segment sizes of {name}"))
                    .await);
            }
            tracing::debug!("no BIG TCP on interface {index}: {}", refusal.reason());
        }
        let link = self.link_by_index(index).await?.ok_or(HostError::LinkGone { index })?;
        match set_gro(self.control(), &link.name, true) {
            Ok(()) => Ok(()),
            Err(Errno::ENODEV) => Err(HostError::LinkGone { index }),
            Err(Errno::EOPNOTSUPP | Errno::EINVAL) => {
                tracing::debug!("no GRO on interface {}", link.name);
                Ok(())
            }
            Err(errno) => Err(HostError::system(
                format!("switch on GRO of interface `{}`", link.name),
                errno,
                "CAP_NET_ADMIN",
            )),
        }
    }
}

/// One end as the message describes it.
fn end(name: &IfName, mac: Option<MacAddr>, mtu: Option<u32>, queues: u32) -> LinkMessage {
    let queues = queues.clamp(1, 4096);
    let mut message = LinkMessage::default();
    message.attributes = vec![
        LinkAttribute::IfName(name.to_string()),
        LinkAttribute::NumTxQueues(queues),
        LinkAttribute::NumRxQueues(queues),
    ];
    message.attributes.extend(mac.map(|mac| LinkAttribute::Address(mac.octets().to_vec())));
    message.attributes.extend(mtu.map(LinkAttribute::Mtu));
    message
}

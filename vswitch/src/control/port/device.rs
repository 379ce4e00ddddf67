//! Makes or adopts the device of a port.

use std::{thread, time::Duration};

use vswitch_common::{
    addr::MacAddr,
    port::{Redirect, Slot},
    record::{PortRecord, pack},
};

use super::{
    request::{Place, PortRequest},
    undo::{Step, Undo},
};
use crate::{
    control::{ControlError, Opened},
    host::{
        Host, Link, LinkKind, Netns, VethSpec, netns,
        tap::{self, TapSpec},
    },
    name::{IfName, NsName},
};

/// The MTU of a port that asks for none.
const DEFAULT_MTU: u32 = 1500;
/// How long to wait for the kernel's link watch, at most: in steps of a millisecond.
const SETTLE_STEPS: u32 = 30;

/// The device of a port that is being made.
pub struct Device {
    /// The link.
    pub link: Link,
    /// How frames leave by it.
    pub redirect: Redirect,
    /// The address of its veth peer, if it is one of ours.
    pub peer_mac: MacAddr,
}

/// Makes the device that a request asks for. What was made is in `undo`, also after an error.
pub async fn make(
    host: &Host,
    opened: &mut Opened,
    slot: Slot,
    record: &mut PortRecord,
    request: &PortRequest,
    undo: &mut Undo,
) -> Result<Device, ControlError> {
    let mark = opened.mark(slot, opened.tables.port(slot)?.incarnation);
    match &request.place {
        Place::Netns { ns, ifname } => {
            record.netns = pack(ns.as_str());
            let target = namespace(ns, opened, slot, record, undo)?;
            record.netns_cookie = target.cookie()?;
            opened.tables.set_record(slot, record)?;
            make_veth(host, request, ifname, Some(&target), record, &mark, undo).await
        }
        Place::Pid { pid, ifname } => {
            let target = Netns::of_pid(*pid)?;
            record.pid = *pid;
            record.netns_cookie = target.cookie()?;
            opened.tables.set_record(slot, record)?;
            make_veth(host, request, ifname, Some(&target), record, &mark, undo).await
        }
        Place::Host { ifname } => make_veth(host, request, ifname, None, record, &mark, undo).await,
        Place::Tap { owner, vnet_header } => {
            record.owner = owner.unwrap_or(u32::MAX);
            make_tap(host, request, *owner, *vnet_header, &mark, undo).await
        }
        Place::Dev => adopt(host, request, undo).await,
    }
}

/// The namespace of a port, made if there is none of that name. That it is going to be made is remembered before it is,
/// so that the next command removes it should this one be killed.
fn namespace(
    ns: &NsName,
    opened: &mut Opened,
    slot: Slot,
    record: &mut PortRecord,
    undo: &mut Undo,
) -> Result<Netns, ControlError> {
    if netns::exists(ns) {
        return Ok(Netns::named(ns)?);
    }
    record.netns_made = 1;
    opened.tables.set_record(slot, record)?;
    let made = netns::create(ns)?;
    undo.push(Step::Netns(ns.clone()));
    Ok(made)
}

async fn make_veth(
    host: &Host,
    request: &PortRequest,
    ifname: &IfName,
    target: Option<&Netns>,
    record: &mut PortRecord,
    mark: &str,
    undo: &mut Undo,
) -> Result<Device, ControlError> {
    let queues = thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1));
    let other = match target {
        Some(target) => Host::at(target)?,
        None => Host::here()?,
    };
    if other.link(ifname).await.is_ok() {
        let place = match &request.place {
            Place::Netns { ns, .. } => format!("in namespace `{ns}`"),
            Place::Pid { pid, .. } => format!("in the namespace of process {pid}"),
            Place::Tap { .. } | Place::Dev | Place::Host { .. } => "on the host".to_owned(),
        };
        return Err(ControlError::PeerExists { ifname: ifname.to_string(), place });
    }
    host.add_veth(&VethSpec {
        name: &request.name,
        peer_name: ifname,
        peer_netns: target,
        mac: None,
        peer_mac: request.mac,
        mtu: Some(request.mtu.unwrap_or(DEFAULT_MTU)),
        queues,
    })
    .await?;
    let link = host.link(&request.name).await?;
    undo.push(Step::Link(link.index));
    let peer = other.link(ifname).await?;
    record.peer_ifindex = peer.index;
    host.set_alias(link.index, mark).await?;
    host.set_addr_gen_none(link.index).await?;
    host.tune_veth(link.index).await?;
    other.tune_veth(peer.index).await?;
    for ip in &request.ips {
        other.add_address(peer.index, *ip).await?;
    }
    if target.is_some() {
        bring_lo_up(&other).await?;
    }
    other.set_up(peer.index, true).await?;
    // Before the default route: a route needs both ends up.
    host.set_up(link.index, true).await?;
    settle(&other, peer.index).await?;
    if let Some(gateway) = request.via {
        other.add_default_route(peer.index, gateway).await?;
    }
    let peer_mac = peer.mac.unwrap_or(MacAddr::ZERO);
    // The kernel drops what is handed to a peer in the same namespace, which a process or a name may lead to as well.
    let is_elsewhere = match target {
        Some(target) => target.cookie()? != Netns::current()?.cookie()?,
        None => false,
    };
    let redirect = match request.options.redirect {
        Some(asked) if is_elsewhere => asked,
        None if is_elsewhere => Redirect::Peer,
        Some(_) | None => Redirect::Dev,
    };
    Ok(Device { link, redirect, peer_mac })
}

/// Waits until the far end can send: its carrier is there at once, but its queues are opened by the kernel's link watch a
/// little later, and until then whatever it sends is lost.
async fn settle(other: &Host, index: u32) -> Result<(), ControlError> {
    for _ in 0..SETTLE_STEPS {
        match other.link_by_index(index).await? {
            Some(link) if !link.running => tokio::time::sleep(Duration::from_millis(1)).await,
            _ => break,
        }
    }
    Ok(())
}

async fn bring_lo_up(other: &Host) -> Result<(), ControlError> {
    let links = other.links().await?;
    let lo = links.iter().find(|link| matches!(link.kind, LinkKind::Loopback));
    match lo {
        Some(lo) if !lo.up => Ok(other.set_up(lo.index, true).await?),
        _ => Ok(()),
    }
}

async fn make_tap(
    host: &Host,
    request: &PortRequest,
    owner: Option<u32>,
    vnet_header: bool,
    mark: &str,
    undo: &mut Undo,
) -> Result<Device, ControlError> {
    tap::create_persistent_tap(&TapSpec {
        name: &request.name,
        tun: false,
        owner,
        group: None,
        vnet_header,
        multi_queue: false,
    })?;
    let link = host.link(&request.name).await?;
    undo.push(Step::Link(link.index));
    host.set_alias(link.index, mark).await?;
    host.set_addr_gen_none(link.index).await?;
    if let Some(mtu) = request.mtu {
        host.set_mtu(link.index, mtu).await?;
    }
    Ok(Device { link, redirect: Redirect::Dev, peer_mac: MacAddr::ZERO })
}

async fn adopt(host: &Host, request: &PortRequest, undo: &mut Undo) -> Result<Device, ControlError> {
    let link = host.link(&request.name).await?;
    if !link.up {
        undo.push(Step::Down(link.index));
    }
    if !link.promiscuous {
        host.set_promiscuous(link.index, true).await?;
        undo.push(Step::Promiscuous(link.index));
    }
    Ok(Device { link, redirect: Redirect::Dev, peer_mac: MacAddr::ZERO })
}

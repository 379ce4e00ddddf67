//! Makes a port: device, program, rows, in this order; the row's state comes last, so the kernel never sees half a port.

use std::{collections::BTreeSet, thread};

use vswitch_common::{
    addr::MacAddr,
    fdb::{FdbKey, FdbKind},
    port::{PortConfig, PortState, Redirect, Slot, flag},
    record::{PortRecord, pack},
};

use super::{
    del,
    request::{Place, PortRequest},
    undo::{Step, Undo},
};
use crate::{
    control::{ControlError, Opened, critical::Critical, fdb},
    datapath::{DatapathError, Store, attach},
    host::{
        Host, HostError, Link, LinkKind, Netns, VethSpec, netns,
        tap::{self, TapSpec},
    },
    name::{IfName, NsName, SwitchName},
};

/// The MTU of a port that asks for none.
const DEFAULT_MTU: u32 = 1500;

/// What is known about the device of a port that is being made.
struct Device {
    link: Link,
    redirect: Redirect,
    peer_mac: MacAddr,
}

/// Makes a port. On an error everything is as it was before.
///
/// Links are looked up one by one: a dump of all takes longer than all the rest when there are a thousand ports.
pub async fn add(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    request: &PortRequest,
) -> Result<(), ControlError> {
    request.check()?;
    let _lock = store.lock()?;
    let _critical = Critical::begin();
    let mut opened = Opened::find(store, switch)?;
    for row in opened.rows()? {
        let unfinished = row.record.pending != 0;
        let same_name = row.made_as() == request.name.as_str();
        if unfinished || same_name && host.link_by_index(row.port.ifindex).await?.is_none() {
            del::remove(store, host, &mut opened, &row).await?;
        }
    }
    let existing = match host.link(&request.name).await {
        Ok(link) => Some(link),
        Err(error) if error.is_absent() => None,
        Err(error) => return Err(error.into()),
    };
    match (&existing, &request.place) {
        (Some(link), Place::Dev) => {
            refuse_taken(store, link)?;
            check_adoptable(host, link).await?;
        }
        (Some(link), _) => {
            refuse_taken(store, link)?;
            return Err(ControlError::LinkExists(link.name.clone()));
        }
        (None, Place::Dev) => {
            return Err(HostError::NoSuchLink {
                name: request.name.to_string(),
            }
            .into());
        }
        (None, _) => {}
    }
    let mut undo = Undo::default();
    let built = build(host, &mut opened, request, &mut undo).await;
    if built.is_err() {
        undo.run(host, &mut opened).await;
    }
    built
}

async fn build(
    host: &Host,
    opened: &mut Opened,
    request: &PortRequest,
    undo: &mut Undo,
) -> Result<(), ControlError> {
    let slot = free_slot(opened)?;
    let mut record = PortRecord {
        ifname: pack(request.name.as_str()),
        peer_ifname: pack(request.peer_ifname().map_or("", IfName::as_str)),
        kind: request.kind() as u8,
        pending: 1,
        ..PortRecord::EMPTY
    };
    let incarnation = opened.tables.port(slot)?.incarnation.wrapping_add(1);
    let mut row = PortConfig {
        incarnation,
        ..PortConfig::EMPTY
    };
    opened.tables.set_port(slot, &row)?;
    undo.push(Step::Rows(slot));
    opened.tables.set_record(slot, &record)?;
    raise_high_slot(opened, slot)?;

    let device = make_device(host, opened, slot, &mut record, request, undo).await?;
    attach_fresh(opened, slot, &request.name)?;
    undo.push(Step::Attached(slot, request.name.clone()));
    host.set_up(device.link.index, true).await?;

    opened.tables.clear_stats(slot)?;
    row.ifindex = device.link.index;
    row.flags = request.options.apply(flag::DEFAULT);
    row.redirect = device.redirect as u8;
    row.peer_mac = device.peer_mac;
    opened.tables.set_port(slot, &row)?;
    opened.tables.set_index(device.link.index, slot)?;
    if let Some(mac) = device.link.mac.filter(|mac| mac.is_station()) {
        let local = fdb::entry(slot, incarnation, FdbKind::Local, 0);
        match opened.tables.fdb_set(FdbKey::new(mac, 0), &local) {
            // A full FDB refuses stations, not ports: the device's own address is only a convenience.
            Ok(()) | Err(DatapathError::FdbFull) => {}
            Err(error) => return Err(error.into()),
        }
    }
    record.pending = 0;
    opened.tables.set_record(slot, &record)?;
    row.state = request.options.state.unwrap_or(PortState::Forwarding) as u8;
    opened.tables.set_port(slot, &row)?;
    Ok(())
}

async fn make_device(
    host: &Host,
    opened: &mut Opened,
    slot: Slot,
    record: &mut PortRecord,
    request: &PortRequest,
    undo: &mut Undo,
) -> Result<Device, ControlError> {
    match &request.place {
        Place::Netns { ns, ifname } => {
            let target = namespace(ns, record, undo)?;
            record.netns = pack(ns.as_str());
            record.netns_cookie = target.cookie()?;
            opened.tables.set_record(slot, record)?;
            make_veth(host, request, ifname, Some(&target), record, undo).await
        }
        Place::Pid { pid, ifname } => {
            let target = Netns::of_pid(*pid)?;
            record.pid = *pid;
            record.netns_cookie = target.cookie()?;
            opened.tables.set_record(slot, record)?;
            make_veth(host, request, ifname, Some(&target), record, undo).await
        }
        Place::Host { ifname } => make_veth(host, request, ifname, None, record, undo).await,
        Place::Tap { owner, vnet_header } => {
            record.owner = owner.unwrap_or(u32::MAX);
            make_tap(host, request, *owner, *vnet_header, undo).await
        }
        Place::Dev => adopt(host, opened, slot, record, request, undo).await,
    }
}

/// The namespace of a port, made if there is none of that name, with `lo` up.
fn namespace(ns: &NsName, record: &mut PortRecord, undo: &mut Undo) -> Result<Netns, ControlError> {
    if netns::exists(ns) {
        return Ok(Netns::named(ns)?);
    }
    let made = netns::create(ns)?;
    record.netns_made = 1;
    undo.push(Step::Netns(ns.clone()));
    Ok(made)
}

async fn make_veth(
    host: &Host,
    request: &PortRequest,
    ifname: &IfName,
    target: Option<&Netns>,
    record: &mut PortRecord,
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
        return Err(ControlError::PeerExists {
            ifname: ifname.to_string(),
            place,
        });
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
    if let Some(gateway) = request.via {
        other.add_default_route(peer.index, gateway).await?;
    }
    let peer_mac = peer.mac.unwrap_or(MacAddr::ZERO);
    let redirect = match request.options.redirect {
        Some(asked) => asked,
        None if target.is_some() => Redirect::Peer,
        None => Redirect::Dev,
    };
    Ok(Device {
        link,
        redirect,
        peer_mac,
    })
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
    host.set_addr_gen_none(link.index).await?;
    if let Some(mtu) = request.mtu {
        host.set_mtu(link.index, mtu).await?;
    }
    Ok(Device {
        link,
        redirect: Redirect::Dev,
        peer_mac: MacAddr::ZERO,
    })
}

async fn adopt(
    host: &Host,
    opened: &mut Opened,
    slot: Slot,
    record: &mut PortRecord,
    request: &PortRequest,
    undo: &mut Undo,
) -> Result<Device, ControlError> {
    let link = host.link(&request.name).await?;
    record.was_up = u8::from(link.up);
    record.was_promiscuous = u8::from(link.promiscuous);
    opened.tables.set_record(slot, record)?;
    if !link.up {
        undo.push(Step::Down(link.index));
    }
    if !link.promiscuous {
        host.set_promiscuous(link.index, true).await?;
        undo.push(Step::Promiscuous(link.index));
    }
    Ok(Device {
        link,
        redirect: Redirect::Dev,
        peer_mac: MacAddr::ZERO,
    })
}

/// Refuses a device that is a port of any switch here.
fn refuse_taken(store: &Store, link: &Link) -> Result<(), ControlError> {
    for switch in store.switches()? {
        let Ok(other) = Opened::find(store, &switch) else {
            continue;
        };
        if other.tables.slot_of(link.index)?.is_some() {
            return Err(ControlError::PortTaken {
                port: link.name.clone(),
                switch: switch.to_string(),
            });
        }
    }
    Ok(())
}

async fn check_adoptable(host: &Host, link: &Link) -> Result<(), ControlError> {
    let port = link.name.clone();
    if let Some(index) = link.master {
        let master = host
            .link_by_index(index)
            .await?
            .map_or_else(|| format!("link {index}"), |master| master.name);
        return Err(ControlError::Enslaved { port, master });
    }
    let (what, remedy) = match link.kind {
        LinkKind::Loopback => ("the loopback device", "a port with `--host`"),
        LinkKind::Tun => ("a tun device, which carries no Ethernet header", "a tap"),
        LinkKind::Bridge => ("a bridge", "one of its ports, or a veth pair between the two"),
        _ => return Ok(()),
    };
    Err(ControlError::Unsuitable { port, what, remedy })
}

/// The lowest slot that no port has.
fn free_slot(opened: &Opened) -> Result<Slot, ControlError> {
    let taken: BTreeSet<u32> = opened.rows()?.iter().map(|row| u32::from(row.slot)).collect();
    let free = (1..opened.config.port_slots).find(|slot| !taken.contains(slot));
    free.and_then(|slot| Slot::try_from(slot).ok()).ok_or_else(|| {
        DatapathError::PortsFull {
            name: opened.name.to_string(),
            slots: opened.config.port_slots,
        }
        .into()
    })
}

fn raise_high_slot(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    if u32::from(slot) > opened.config.high_slot {
        opened.config.high_slot = u32::from(slot);
        opened.config.generation = opened.tables.config()?.generation;
        opened.tables.set_config(&opened.config)?;
    }
    Ok(())
}

/// Attaches, after clearing a pin that a port in the same slot may have left.
fn attach_fresh(opened: &Opened, slot: Slot, name: &IfName) -> Result<(), ControlError> {
    attach::detach(&opened.directory, slot, None)?;
    attach::attach(&opened.directory, slot, name.as_str())?;
    Ok(())
}

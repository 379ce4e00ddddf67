//! Makes a port: device, program, rows, in this order; the row's state comes last, so the kernel never sees half a port.

use std::collections::BTreeSet;

use ipnet::IpNet;
use vswitch_common::{
    addr::MacAddr,
    config::switch_flag,
    fdb::{FdbEntry, FdbKey, FdbKind, entry_flag},
    port::{PortConfig, PortState, Slot, flag},
    record::{Note, PortRecord, pack},
    request::Selector,
};

use super::{
    bridge, del, device, guards, meter,
    request::{Place, PortRequest},
    spoof,
    undo::{Step, Undo},
    vlan,
};
use crate::{
    config::port::{
        bridge::Backup,
        spoof::{Bound, mapped},
        vlan::PortVlanSpec,
    },
    control::{
        ControlError, Opened, acl, fdb, neigh,
        opened::{Links, PortRow, links},
    },
    datapath::{DatapathError, Store, attach},
    host::{Host, HostError, Link, LinkKind, Uninterrupted},
    name::{IfName, SwitchName},
};

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
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, switch)?;
    // A port of this name whose device is gone makes way, but only when there is the new one.
    let mut gone = Vec::new();
    for row in opened.rows()? {
        let unfinished = row.record.pending != 0;
        let same_name = row.made_as() == request.name.as_str();
        let is_gone = async || {
            let link = host.link_by_index(row.port.ifindex).await?;
            Ok::<_, ControlError>(!link.is_some_and(|link| opened.is_device(&row, &link)))
        };
        if unfinished {
            del::remove(store, host, &mut opened, &row).await?;
        } else if same_name && is_gone().await? {
            gone.push(row);
        }
    }
    let existing = match host.link(&request.name).await {
        Ok(link) => Some(link),
        Err(error) if error.is_absent() => None,
        Err(error) => return Err(error.into()),
    };
    match (&existing, &request.place) {
        (Some(link), Place::Dev) => {
            refuse_taken(store, &opened, &gone, link)?;
            check_adoptable(host, link).await?;
        }
        (Some(link), _) => {
            refuse_taken(store, &opened, &gone, link)?;
            return Err(ControlError::LinkExists(link.name.clone()));
        }
        (None, Place::Dev) => {
            return Err(HostError::NoSuchLink { name: request.name.to_string() }.into());
        }
        (None, _) => {}
    }
    let mut undo = Undo::default();
    let built = build(host, &mut opened, request, existing.as_ref(), &mut undo).await;
    if built.is_err() {
        undo.run(host, &mut opened).await;
        return built;
    }
    for row in &gone {
        replace(store, host, &mut opened, row).await?;
    }
    Ok(())
}

/// Removes the row of a device that is gone, now that a new port has its name. Interface indices are used anew, so that of
/// the old device may be the new one's.
async fn replace(store: &Store, host: &Host, opened: &mut Opened, row: &PortRow) -> Result<(), ControlError> {
    let heir = opened.tables.slot_of(row.port.ifindex)?.filter(|slot| *slot != row.slot);
    del::remove(store, host, opened, row).await?;
    match heir {
        Some(slot) => Ok(opened.tables.set_index(row.port.ifindex, slot)?),
        None => Ok(()),
    }
}

async fn build(
    host: &Host,
    opened: &mut Opened,
    request: &PortRequest,
    adopted: Option<&Link>,
    undo: &mut Undo,
) -> Result<(), ControlError> {
    let slot = free_slot(opened)?;
    let mut record = PortRecord {
        ifname: pack(request.name.as_str()),
        peer_ifname: pack(request.peer_ifname().map_or("", IfName::as_str)),
        kind: request.kind() as u8,
        // How an adopted device was, before anything is done to it.
        was_up: adopted.map_or(0, |link| u8::from(link.up)),
        was_promiscuous: adopted.map_or(0, |link| u8::from(link.promiscuous)),
        pending: 1,
        ..PortRecord::EMPTY
    };
    let incarnation = opened.tables.port(slot)?.incarnation.wrapping_add(1);
    let mut row = PortConfig { incarnation, ..PortConfig::EMPTY };
    opened.tables.set_port(slot, &row)?;
    undo.push(Step::Rows(slot));
    opened.tables.set_record(slot, &record)?;
    raise_high_slot(opened, slot)?;

    let device = device::make(host, opened, slot, &mut record, request, undo).await?;
    attach_fresh(opened, slot, &request.name)?;
    undo.push(Step::Attached(slot, request.name.clone()));
    host.set_up(device.link.index, true).await?;

    opened.tables.clear_stats(slot)?;
    row.ifindex = device.link.index;
    row.flags = request.options.apply(flag::DEFAULT) | acl::flags(opened, slot)?;
    guards::apply(&request.options.guards, &mut row)?;
    opened.tables.open_port(slot)?;
    row.redirect = device.redirect as u8;
    row.peer_mac = device.peer_mac;
    if !row.peer_mac.is_zero() {
        let ips = request.ips.iter().map(|net| mapped(net.addr())).collect();
        spoof::bind(opened, slot, &Bound { macs: vec![row.peer_mac], ips })?;
    }
    spoof::check(opened, slot, request.name.as_str(), &request.options.spoof)?;
    spoof::write(opened, slot, &mut row, &request.options.spoof)?;
    let spec = request.options.vlan.apply(&PortVlanSpec::by_default(opened.config.default_pvid))?;
    vlan::write(opened, slot, &mut row, &spec)?;
    // Only the name of another port is worth a dump of all links.
    let is_backed = matches!(request.options.bridge.backup, Some(Backup::Port(_)));
    let links = if is_backed { links(host).await? } else { Links::new() };
    bridge::apply(opened, &links, slot, &mut row, &request.options.bridge)?;
    bridge::prepare(opened, &row)?;
    meter::write(opened, slot, &mut row, &request.options.meters)?;
    opened.tables.set_note(slot, &Note::new(request.options.description.as_deref().unwrap_or_default()))?;
    opened.tables.set_port(slot, &row)?;
    opened.tables.set_index(device.link.index, slot)?;
    add_local(opened, slot, incarnation, device.link.mac)?;
    let ips: Vec<_> = request.ips.iter().map(IpNet::addr).collect();
    neigh::note_port(opened, slot, device.peer_mac, &ips)?;
    row.state = request.options.state.unwrap_or(PortState::Forwarding) as u8;
    opened.tables.set_port(slot, &row)?;
    if matches!(request.place, Place::Tap { .. }) {
        tell_carrier(host, device.link.index).await?;
    }
    record.pending = 0;
    opened.tables.set_record(slot, &record)?;
    fdb::share_out(opened)
}

/// A tap has no carrier until a program opens it, and had none when it became a port: nothing told the program so. Going
/// down and up once tells it, and harms nobody, since nobody has the tap open.
async fn tell_carrier(host: &Host, index: u32) -> Result<(), ControlError> {
    if host.link_by_index(index).await?.is_some_and(|link| !link.carrier) {
        host.set_up(index, false).await?;
        host.set_up(index, true).await?;
    }
    Ok(())
}

/// Notes the device's own address: frames to it are the host's. It is only a convenience: what the user has added comes
/// first.
fn add_local(
    opened: &mut Opened,
    slot: Slot,
    incarnation: u16,
    mac: Option<MacAddr>,
) -> Result<(), ControlError> {
    let Some(mac) = mac.filter(|mac| mac.is_station()) else { return Ok(()) };
    if opened.config.has(switch_flag::VLAN_FILTERING) {
        // Whoever claimed the address in one of the VLANs has no right to it any more.
        let kinds = 1 << FdbKind::Dynamic as u8 | 1 << FdbKind::External as u8;
        opened.tables.fdb_sweep(Selector { mac, kinds, ..Selector::EVERYTHING })?;
    }
    let own = FdbEntry { flags: entry_flag::OWN, ..fdb::entry(slot, incarnation, FdbKind::Local) };
    opened.tables.fdb_put(FdbKey::new(mac, 0), &own, false)?;
    Ok(())
}

/// Refuses a device that is a port of any switch here.
fn refuse_taken(store: &Store, opened: &Opened, gone: &[PortRow], link: &Link) -> Result<(), ControlError> {
    for switch in store.switches()? {
        let Ok(other) = Opened::find(store, &switch) else {
            continue;
        };
        let Some(slot) = other.tables.slot_of(link.index)? else {
            continue;
        };
        let is_gone = switch == opened.name && gone.iter().any(|row| row.slot == slot);
        if !is_gone {
            return Err(ControlError::PortTaken { port: link.name.clone(), switch: switch.to_string() });
        }
    }
    Ok(())
}

async fn check_adoptable(host: &Host, link: &Link) -> Result<(), ControlError> {
    let port = link.name.clone();
    if let Some(index) = link.master {
        let master =
            host.link_by_index(index).await?.map_or_else(|| format!("link {index}"), |master| master.name);
        return Err(ControlError::Enslaved { port, master });
    }
    let (what, remedy) = match link.kind {
        LinkKind::Loopback => ("the loopback device", "a port with `--host`"),
        LinkKind::Tun => ("a tun device without Ethernet headers", "a tap"),
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
        DatapathError::PortsFull { name: opened.name.to_string(), slots: opened.config.port_slots }.into()
    })
}

fn raise_high_slot(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    if u32::from(slot) > opened.config.high_slot {
        opened.config.high_slot = u32::from(slot);
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

//! Takes a port down: rows first, so that no frame enters or leaves, then the program, then what we made.

use std::collections::BTreeSet;

use vswitch_common::{
    port::{PortConfig, PortState, Slot},
    record::{PortKind, PortRecord, unpack},
    request::{Selector, only},
};

use super::rows;
use crate::{
    control::{
        ControlError, Opened, acl, fdb, mirror,
        opened::{PortRow, links},
        repair::repair,
    },
    datapath::{Store, attach},
    host::{Host, HostError, Link, LinkKind, Netns, Uninterrupted, netns},
    name::{IfName, NsName, SwitchName},
};

/// Removes a port of a switch.
pub async fn del(store: &Store, host: &Host, switch: &SwitchName, name: &IfName) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    repair(store, host, &mut opened, &links).await?;
    let row = opened.row(name, &links)?;
    for session in mirror::end_at(&mut opened, |slot| slot == row.slot)? {
        tracing::warn!("mirror session `{session}` has ended with port `{name}`, which got its copies");
    }
    // The sessions' bits in its row may have gone meanwhile.
    let row = PortRow { port: opened.tables.port(row.slot)?, ..row };
    remove(store, host, &mut opened, &row).await
}

/// Removes a port whatever state it is in, a half-made one included.
pub async fn remove(
    store: &Store,
    host: &Host,
    opened: &mut Opened,
    row: &PortRow,
) -> Result<(), ControlError> {
    let link = device(host, opened, row).await?;
    remove_all(store, host, opened, &[(*row, link)]).await
}

/// Removes ports with their devices, if those are still there.
///
/// Devices of ours go without being detached first: detaching waits for the kernel's readers once for each, deleting
/// once for all. A device that cannot be deleted keeps its row, so that a later command tries again.
pub async fn remove_all(
    store: &Store,
    host: &Host,
    opened: &mut Opened,
    ports: &[(PortRow, Option<Link>)],
) -> Result<(), ControlError> {
    for (row, _) in ports {
        retire(opened, row)?;
    }
    let slots: BTreeSet<Slot> = ports.iter().map(|(row, _)| row.slot).collect();
    // One walk for all: what points at a port that is gone is void.
    opened.tables.fdb_sweep(Selector { only: only::VOID, ..Selector::EVERYTHING })?;
    rows::forget_references(opened, &slots)?;
    mirror::end_at(opened, |slot| slots.contains(&slot))?;
    acl::forget_ports(opened, &slots)?;
    let present = ports.iter().filter_map(|(row, link)| Some((row, link.as_ref()?)));
    let (made, adopted): (Vec<_>, Vec<_>) = present.partition(|(row, link)| is_ours(row, link));
    for (row, link) in adopted {
        attach::detach(&opened.directory, row.slot, Some(&link.name))?;
        give_back(host, row, link).await?;
    }
    let made: Vec<u32> = made.iter().map(|(_, link)| link.index).collect();
    host.delete_links(&made).await?;
    let mut errors = Vec::new();
    for (row, _) in ports {
        errors.extend(clear(store, opened, row).err());
    }
    errors.extend(fdb::share_out(opened).err());
    ControlError::collect(errors)
}

/// From here on no frame enters or leaves by the port. The rows stay until everything is taken down, so that a later
/// command finds the device again and goes on, should this one be killed.
fn retire(opened: &mut Opened, row: &PortRow) -> Result<(), ControlError> {
    opened.tables.set_record(row.slot, &PortRecord { pending: 1, ..row.record })?;
    opened.tables.clear_index(row.port.ifindex)?;
    let off = PortConfig { state: PortState::Gone as u8, flags: 0, ..row.port };
    Ok(opened.tables.set_port(row.slot, &off)?)
}

/// What is left of a port whose device is gone: the pin of its link, its namespace, its rows.
fn clear(store: &Store, opened: &mut Opened, row: &PortRow) -> Result<(), ControlError> {
    attach::detach(&opened.directory, row.slot, None)?;
    // It may have become the heir of a namespace since the row was read.
    let record = opened.tables.record(row.slot)?;
    remove_namespace(store, opened, &PortRow { record, ..*row })?;
    let incarnation = row.port.incarnation;
    opened.tables.set_port(row.slot, &PortConfig { incarnation, ..PortConfig::EMPTY })?;
    rows::forget(opened, row.slot)?;
    Ok(opened.tables.set_record(row.slot, &PortRecord::EMPTY)?)
}

/// The port's device, if it is still there. A half-made port may have no interface index yet, and its device may not be
/// marked yet: then it is known by its name, which was free before.
async fn device(host: &Host, opened: &Opened, row: &PortRow) -> Result<Option<Link>, ControlError> {
    if row.port.ifindex != 0 {
        let link = host.link_by_index(row.port.ifindex).await?;
        return Ok(link.filter(|link| opened.is_device(row, link)));
    }
    let Ok(name) = row.made_as().parse::<IfName>() else { return Ok(None) };
    match host.link(&name).await {
        Ok(link) => Ok(Some(link).filter(|link| link.alias.is_none() || opened.is_device(row, link))),
        Err(error) if error.is_absent() => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Whether we made the device: the record says so, and it is of the kind that we made.
fn is_ours(row: &PortRow, link: &Link) -> bool {
    match PortKind::from_u8(row.record.kind) {
        Some(PortKind::Netns | PortKind::Pid | PortKind::Host) => matches!(link.kind, LinkKind::Veth),
        Some(PortKind::Tap) => matches!(link.kind, LinkKind::Tap),
        Some(PortKind::Dev) | None => false,
    }
}

/// Returns an adopted device as it was found.
async fn give_back(host: &Host, row: &PortRow, link: &Link) -> Result<(), ControlError> {
    if row.record.was_promiscuous == 0 && link.promiscuous {
        host.set_promiscuous(link.index, false).await?;
    }
    if row.record.was_up == 0 && link.up {
        host.set_up(link.index, false).await?;
    }
    Ok(())
}

/// Deletes the namespace if we made it, it is still the same, and no other port leads into it; the last such port
/// inherits the duty.
fn remove_namespace(store: &Store, opened: &mut Opened, row: &PortRow) -> Result<(), ControlError> {
    if row.record.netns_made == 0 {
        return Ok(());
    }
    let Ok(name) = unpack(&row.record.netns).parse::<NsName>() else {
        return Ok(());
    };
    if !netns::exists(&name) {
        return Ok(());
    }
    // Without a cookie the command that made it was killed before it could note one.
    let is_noted = row.record.netns_cookie != 0;
    match Netns::named(&name) {
        Ok(found) if is_noted && found.cookie()? != row.record.netns_cookie => return Ok(()),
        // The file that a killed command left behind.
        Ok(_) | Err(HostError::NotANamespace { .. }) => {}
        Err(error) => return Err(error.into()),
    }
    let is_heir = |heir: &PortRow| is_noted && heir.record.netns_cookie == row.record.netns_cookie;
    for mut heir in opened.rows()? {
        if heir.slot != row.slot && is_heir(&heir) {
            heir.record.netns_made = 1;
            opened.tables.set_record(heir.slot, &heir.record)?;
            return Ok(());
        }
    }
    for switch in store.switches()? {
        if switch == opened.name {
            continue;
        }
        let Ok(mut other) = Opened::find_anywhere(store, &switch) else {
            continue;
        };
        for mut heir in other.rows()? {
            if is_heir(&heir) {
                heir.record.netns_made = 1;
                other.tables.set_record(heir.slot, &heir.record)?;
                return Ok(());
            }
        }
    }
    Ok(netns::delete(&name)?)
}

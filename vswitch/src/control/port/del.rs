//! Takes a port down: rows first, so that no frame enters or leaves, then the program, then what we made.

use vswitch_common::{
    port::PortConfig,
    record::{PortKind, PortRecord, unpack},
};

use crate::{
    control::{
        ControlError, Opened,
        critical::Critical,
        opened::{PortRow, links},
        repair::repair,
    },
    datapath::{Store, attach},
    host::{Host, LinkKind, Netns, netns},
    name::{IfName, NsName, SwitchName},
};

/// Removes a port of a switch.
pub async fn del(store: &Store, host: &Host, switch: &SwitchName, name: &IfName) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _critical = Critical::begin();
    let mut opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    repair(store, host, &mut opened, &links).await?;
    let row = opened.row(name, &links)?;
    remove(store, host, &mut opened, &row).await
}

/// Removes a port whatever state it is in, a half-made one included. Goes on after an error.
pub async fn remove(
    store: &Store,
    host: &Host,
    opened: &mut Opened,
    row: &PortRow,
) -> Result<(), ControlError> {
    let mut errors: Vec<ControlError> = Vec::new();
    let link = match device(host, row).await {
        Ok(link) => link,
        Err(error) => {
            errors.push(error);
            None
        }
    };
    opened.tables.clear_index(row.port.ifindex)?;
    let incarnation = row.port.incarnation;
    opened.tables.set_port(
        row.slot,
        &PortConfig {
            incarnation,
            ..PortConfig::EMPTY
        },
    )?;
    opened.tables.fdb_remove_port(row.slot)?;
    let ifname = link.as_ref().map(|link| link.name.as_str());
    if let Err(error) = attach::detach(&opened.directory, row.slot, ifname) {
        errors.push(error.into());
    }
    if let Some(link) = &link
        && let Err(error) = give_back(host, row, link).await
    {
        errors.push(error);
    }
    if let Err(error) = remove_namespace(store, opened, row) {
        errors.push(error);
    }
    opened.tables.set_record(row.slot, &PortRecord::EMPTY)?;
    ControlError::collect(errors)
}

/// The port's device, if it is still there. A half-made port has no interface index yet: its name was free before.
async fn device(host: &Host, row: &PortRow) -> Result<Option<crate::host::Link>, ControlError> {
    if row.port.ifindex != 0 {
        return Ok(host.link_by_index(row.port.ifindex).await?);
    }
    match row.made_as().parse::<IfName>() {
        Ok(name) => match host.link(&name).await {
            Ok(link) => Ok(Some(link)),
            Err(error) if error.is_absent() => Ok(None),
            Err(error) => Err(error.into()),
        },
        Err(_) => Ok(None),
    }
}

/// Deletes the device if we made it, else returns it as it was found.
async fn give_back(host: &Host, row: &PortRow, link: &crate::host::Link) -> Result<(), ControlError> {
    let ours = match PortKind::from_u8(row.record.kind) {
        Some(PortKind::Netns | PortKind::Pid | PortKind::Host) => matches!(link.kind, LinkKind::Veth),
        Some(PortKind::Tap) => matches!(link.kind, LinkKind::Tap),
        Some(PortKind::Dev) | None => false,
    };
    if ours {
        return match host.delete_link(link.index).await {
            // It went by itself in the meantime, with its namespace.
            Err(error) if error.is_absent() => Ok(()),
            result => Ok(result?),
        };
    }
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
    if !netns::exists(&name) || Netns::named(&name)?.cookie()? != row.record.netns_cookie {
        return Ok(());
    }
    for mut heir in opened.rows()? {
        if heir.slot != row.slot && heir.record.netns_cookie == row.record.netns_cookie {
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
            if heir.record.netns_cookie == row.record.netns_cookie {
                heir.record.netns_made = 1;
                other.tables.set_record(heir.slot, &heir.record)?;
                return Ok(());
            }
        }
    }
    Ok(netns::delete(&name)?)
}

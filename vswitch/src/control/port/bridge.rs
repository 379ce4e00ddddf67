//! What takes over for a port, and what passes it.

use vswitch_common::port::{PortConfig, Slot};

use crate::{
    config::port::bridge::{Backup, BridgeOptions},
    control::{
        ControlError, Opened,
        opened::{Links, PortRow},
    },
};

/// Changes the row of a port, which the caller writes.
pub fn apply(
    opened: &Opened,
    links: &Links,
    slot: Slot,
    port: &mut PortConfig,
    options: &BridgeOptions,
) -> Result<(), ControlError> {
    if let Some(mask) = options.group_fwd_mask {
        port.group_fwd_mask = mask;
    }
    match &options.backup {
        Some(Backup::Port(name)) => {
            let backup = opened.row(name, links)?.slot;
            if backup == slot {
                return Err(ControlError::OwnBackup(name.to_string()));
            }
            port.backup = backup;
        }
        Some(Backup::None) => port.backup = 0,
        None => {}
    }
    Ok(())
}

/// The port that takes over for one.
pub fn backup_name(
    opened: &Opened,
    links: &Links,
    port: &PortConfig,
) -> Result<Option<String>, ControlError> {
    if port.backup == 0 {
        return Ok(None);
    }
    let backup = opened.rows()?.into_iter().find(|row| row.slot == port.backup);
    let name = |row: &PortRow| opened.device(row, links).map_or(row.made_as(), |link| &link.name).to_owned();
    Ok(backup.as_ref().map(name))
}

/// A port is no more: it takes over for none.
pub fn forget(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    for row in opened.rows()? {
        if row.port.backup == slot {
            opened.tables.set_port(row.slot, &PortConfig { backup: 0, ..row.port })?;
        }
    }
    Ok(())
}

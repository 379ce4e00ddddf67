//! What takes over for a port, what passes it, and what follows for the switch from its flags.

use std::collections::BTreeSet;

use vswitch_common::{
    config::switch_flag,
    port::{PortConfig, Slot, flag},
};

use crate::{
    config::port::bridge::{Backup, BridgeOptions},
    control::{
        ControlError, Opened,
        opened::{Links, PortRow},
    },
};

/// The flags of ports for which the program has to look at questions for addresses.
const ASKING: u32 = flag::PROXY_ARP | flag::PROXY_ARP_WIFI | flag::NEIGH_SUPPRESS;

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

/// Ports are gone: they take over for none.
pub fn forget(opened: &mut Opened, slots: &BTreeSet<Slot>) -> Result<(), ControlError> {
    for row in opened.rows()? {
        if slots.contains(&row.port.backup) {
            opened.tables.set_port(row.slot, &PortConfig { backup: 0, ..row.port })?;
        }
    }
    Ok(())
}

/// Lets the program look at questions for addresses, before a port is written that needs it.
pub fn prepare(opened: &mut Opened, port: &PortConfig) -> Result<(), ControlError> {
    let flags = opened.config.flags | wanted(port.flags);
    set_flags(opened, flags)
}

/// Spares the program the look, after a change of ports, if none needs it any more.
pub fn settle(opened: &mut Opened) -> Result<(), ControlError> {
    let ports = opened.rows()?.iter().fold(0, |flags, row| flags | row.port.flags);
    let flags = opened.config.flags & !(switch_flag::NEIGH | switch_flag::NEIGH_SUPPRESS) | wanted(ports);
    set_flags(opened, flags)
}

/// What follows from the flags of ports.
fn wanted(ports: u32) -> u32 {
    let bit = |flag, bit| if ports & flag != 0 { bit } else { 0 };
    bit(ASKING, switch_flag::NEIGH) | bit(flag::NEIGH_SUPPRESS, switch_flag::NEIGH_SUPPRESS)
}

fn set_flags(opened: &mut Opened, flags: u32) -> Result<(), ControlError> {
    if flags == opened.config.flags {
        return Ok(());
    }
    opened.config.flags = flags;
    Ok(opened.tables.set_config(&opened.config)?)
}

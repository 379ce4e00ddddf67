//! Clears away what a killed command left, and what vanished underneath; done when a port is removed, and in part when one is
//! made.

use vswitch_common::port::{PortConfig, PortState};

use super::{
    ControlError, Opened,
    opened::{Links, PortRow},
    port,
};
use crate::{datapath::Store, host::Host};

/// Brings a switch's tables in line with the links that there are.
///
/// A port that was never finished is taken down. The addresses behind a port whose device is gone, or is down, are
/// forgotten, as a bridge does.
pub async fn repair(
    store: &Store,
    host: &Host,
    opened: &mut Opened,
    links: &Links,
) -> Result<(), ControlError> {
    for row in opened.rows()? {
        if row.record.pending != 0 {
            tracing::info!("taking down port `{}`, which was never finished", row.made_as());
            port::del::remove(store, host, opened, &row).await?;
            continue;
        }
        match opened.device(&row, links) {
            None if row.port.state() != PortState::Gone => forget_device(opened, &row)?,
            Some(link) if !link.carrier && row.port.backup == 0 => {
                opened.tables.fdb_forget_port(row.slot)?;
            }
            _ => {}
        }
    }
    Ok(())
}

/// Notes that a port's device no longer exists.
fn forget_device(opened: &mut Opened, row: &PortRow) -> Result<(), ControlError> {
    tracing::info!("the device of port `{}` is gone", row.made_as());
    opened.tables.clear_index(row.port.ifindex)?;
    let gone = PortConfig { state: PortState::Gone as u8, ..row.port };
    opened.tables.set_port(row.slot, &gone)?;
    opened.tables.fdb_remove_port(row.slot)?;
    Ok(())
}

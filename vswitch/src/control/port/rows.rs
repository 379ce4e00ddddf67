//! What else is written about a port, besides its row and its record.

use vswitch_common::{port::Slot, record::Note};

use super::{bridge, vlan};
use crate::control::{ControlError, Opened};

/// The row is free: the next port in it begins without any of it.
pub fn forget(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    vlan::clear(opened, slot)?;
    bridge::forget(opened, slot)?;
    opened.tables.set_note(slot, &Note::EMPTY)?;
    Ok(())
}

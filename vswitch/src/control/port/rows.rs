//! What else is written about a port, besides its row and its record.

use std::collections::BTreeSet;

use vswitch_common::{port::Slot, record::Note};

use super::{bridge, meter, vlan};
use crate::control::{ControlError, Opened, neigh};

/// The row is free: the next port in it begins without any of it.
pub fn forget(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    vlan::clear(opened, slot)?;
    meter::clear(opened, slot)?;
    opened.tables.set_bindings(slot, &[])?;
    opened.tables.set_note(slot, &Note::EMPTY)?;
    Ok(())
}

/// Ports are gone: nothing else refers to them any more. Done once for all of them, since it looks at all that are left.
pub fn forget_references(opened: &mut Opened, slots: &BTreeSet<Slot>) -> Result<(), ControlError> {
    neigh::forget_ports(opened, slots)?;
    bridge::forget(opened, slots)?;
    bridge::settle(opened)
}

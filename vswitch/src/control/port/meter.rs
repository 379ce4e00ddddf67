//! The meters of a port, between the words and the maps.

use std::collections::BTreeMap;

use vswitch_common::{
    meter::{Meter, MeterKind},
    port::{PortConfig, Slot, flag},
};

use crate::{
    config::port::meter::{METERS, MeterChange, MeterOptions, MeterSpec},
    control::{ControlError, Opened},
};

/// The meters of a port, by their keys.
pub fn read(
    opened: &Opened,
    slot: Slot,
    port: &PortConfig,
) -> Result<BTreeMap<&'static str, String>, ControlError> {
    let mut found = BTreeMap::new();
    for (key, kind) in METERS {
        if port.has(flag_of(kind))
            && let Some(spec) = MeterSpec::from_row(&opened.tables.meter(slot, kind)?)
        {
            found.insert(key, spec.to_string());
        }
    }
    Ok(found)
}

/// Changes the meters of a port. Which kinds there are is in the port's flags, changed in `port` only, which the caller writes.
pub fn write(
    opened: &mut Opened,
    slot: Slot,
    port: &mut PortConfig,
    options: &MeterOptions,
) -> Result<(), ControlError> {
    let mut flags = 0;
    for kind in MeterKind::ALL {
        match options.of(kind) {
            MeterChange::Keep => {}
            MeterChange::Off => opened.tables.set_meter(slot, kind, &Meter::default())?,
            MeterChange::Limit(spec) => opened.tables.set_meter(slot, kind, &spec.to_row())?,
        }
        if MeterSpec::from_row(&opened.tables.meter(slot, kind)?).is_some() {
            flags |= flag_of(kind);
        }
    }
    port.flags = port.flags & !(flag::STORM | flag::POLICE_IN | flag::POLICE_OUT) | flags;
    Ok(())
}

/// The row is free: the next port in it begins without meters.
pub fn clear(opened: &mut Opened, slot: Slot) -> Result<(), ControlError> {
    for kind in MeterKind::ALL {
        opened.tables.set_meter(slot, kind, &Meter::default())?;
    }
    Ok(())
}

const fn flag_of(kind: MeterKind) -> u32 {
    match kind {
        MeterKind::Broadcast | MeterKind::Multicast | MeterKind::UnknownUnicast => flag::STORM,
        MeterKind::PoliceIn => flag::POLICE_IN,
        MeterKind::PoliceOut => flag::POLICE_OUT,
    }
}

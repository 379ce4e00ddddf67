//! The meters of ports, from user space.

use vswitch_common::{
    meter::{METERS_PER_PORT, Meter, MeterKind},
    port::Slot,
};

use super::{DatapathError, Tables};

impl Tables {
    /// A meter of a port; its unit is 0 if there is none.
    pub fn meter(&self, slot: Slot, kind: MeterKind) -> Result<Meter, DatapathError> {
        Ok(self.meters.get(&row(slot, kind), 0)?)
    }

    /// Writes it, with a full bucket. Effective at once for a port that had a meter of that kind; whether it has one is
    /// in the flags of its row.
    pub fn set_meter(&mut self, slot: Slot, kind: MeterKind, meter: &Meter) -> Result<(), DatapathError> {
        Ok(self.meters.set(row(slot, kind), meter, 0)?)
    }
}

const fn row(slot: Slot, kind: MeterKind) -> u32 {
    slot as u32 * METERS_PER_PORT + kind as u32
}

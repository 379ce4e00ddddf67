//! Meters.

use vswitch_common::{meter::MeterKind, port::Slot};

/// Whether a port may carry one more frame of this kind.
#[inline(always)]
pub fn allows(_slot: Slot, _kind: MeterKind, _length: u32) -> bool {
    true
}

//! The one place where a type is declared safe to cross a map as plain bytes.

use crate::{
    config::{SwitchConfig, SwitchState},
    fdb::{FdbEntry, FdbKey},
    link::{DeviceLayout, PortLink},
    port::PortConfig,
    record::PortRecord,
    stats::PortStats,
};

// SAFETY: as for all of these, the type is `repr(C)`, `Copy` and 'static, holds integers and arrays of integers only, so
// every bit pattern is valid, and has no implicit padding: the size assertion beside it equals the sum of its fields.
unsafe impl aya::Pod for SwitchConfig {}
// SAFETY: as above.
unsafe impl aya::Pod for SwitchState {}
// SAFETY: as above.
unsafe impl aya::Pod for FdbKey {}
// SAFETY: as above.
unsafe impl aya::Pod for FdbEntry {}
// SAFETY: as above.
unsafe impl aya::Pod for PortConfig {}
// SAFETY: as above.
unsafe impl aya::Pod for PortLink {}
// SAFETY: as above.
unsafe impl aya::Pod for DeviceLayout {}
// SAFETY: as above.
unsafe impl aya::Pod for PortRecord {}
// SAFETY: as above.
unsafe impl aya::Pod for PortStats {}

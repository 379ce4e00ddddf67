//! The one place where a type is declared safe to cross a map as plain bytes.

use crate::{
    acl::{AclCount, AclKey, AclMask, AclRule, AclSpec, BindingKey},
    config::{SwitchConfig, SwitchState},
    fdb::{FdbEntry, FdbKey},
    link::{DeviceLayout, PortLink},
    meter::Meter,
    mirror::MirrorSession,
    neigh::{NeighEntry, NeighKey},
    port::PortConfig,
    record::{Note, PortRecord},
    request::Request,
    stats::PortStats,
    vlan::{PortVlan, PortVlans, TranslateKey, VlanStats},
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
// SAFETY: as above.
unsafe impl aya::Pod for Meter {}
// SAFETY: as above.
unsafe impl aya::Pod for MirrorSession {}
// SAFETY: as above.
unsafe impl aya::Pod for NeighKey {}
// SAFETY: as above.
unsafe impl aya::Pod for NeighEntry {}
// SAFETY: as above.
unsafe impl aya::Pod for Note {}
// SAFETY: as above.
unsafe impl aya::Pod for PortVlans {}
// SAFETY: as above.
unsafe impl aya::Pod for PortVlan {}
// SAFETY: as above.
unsafe impl aya::Pod for VlanStats {}
// SAFETY: as above.
unsafe impl aya::Pod for TranslateKey {}
// SAFETY: as above.
unsafe impl aya::Pod for Request {}
// SAFETY: as above.
unsafe impl aya::Pod for AclCount {}
// SAFETY: as above.
unsafe impl aya::Pod for AclKey {}
// SAFETY: as above.
unsafe impl aya::Pod for AclMask {}
// SAFETY: as above.
unsafe impl aya::Pod for AclRule {}
// SAFETY: as above.
unsafe impl aya::Pod for AclSpec {}
// SAFETY: as above.
unsafe impl aya::Pod for BindingKey {}

//! The stages of the slow path, one decision each.

pub mod admit;
pub mod bindings;
pub mod egress;
pub mod forward;
pub mod guard;
pub mod headers;
pub mod learn;
pub mod meter;
pub mod neigh;
pub mod vlan;

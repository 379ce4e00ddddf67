//! The stages of the slow path, one decision each.

pub mod admit;
pub mod egress;
pub mod forward;
pub mod guard;
pub mod learn;
pub mod meter;
pub mod neigh;
pub mod vlan;

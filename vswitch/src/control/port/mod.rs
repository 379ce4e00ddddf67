//! Ports: made, removed, listed, changed.

pub mod add;
mod bridge;
pub mod del;
mod device;
pub mod guards;
pub mod list;
mod meter;
pub mod request;
mod rows;
pub mod set;
pub mod spoof;
mod undo;
pub mod vlan;

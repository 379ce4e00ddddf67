//! The contract between the controller (`vswitch`) and the BPF program (`vswitch-ebpf`).
//!
//! Everything that both sides must agree on is here and nowhere else: the names and capacities of the maps
//! ([`map`]), the layout of their keys and values, and the reasons for which a frame is dropped ([`drop`]).
//! All layouts are `repr(C)` without implicit padding; their sizes are asserted, so that a change cannot go
//! unnoticed. Every change of a layout bumps [`ABI_VERSION`], which is part of the path under which state is pinned.
#![no_std]
#![warn(clippy::wildcard_enum_match_arm)]

#[cfg(test)]
extern crate std;

pub mod acl;
pub mod addr;
pub mod config;
pub mod drop;
pub mod fdb;
pub mod flow;
pub mod link;
pub mod map;
pub mod meter;
pub mod mirror;
pub mod neigh;
#[cfg(feature = "user")]
mod pod;
pub mod port;
pub mod record;
pub mod request;
pub mod stats;
pub mod vlan;

/// Version of every layout in this crate. State of another version is never opened.
pub const ABI_VERSION: u32 = 1;

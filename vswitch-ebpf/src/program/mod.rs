//! What touches the kernel: maps, helpers, and the order of the stages.

pub mod acl;
pub mod bindings;
pub mod cache;
pub mod cached;
pub mod clock;
pub mod count;
pub mod fdb;
pub mod flood;
pub mod guard;
pub mod helper;
pub mod journal;
pub mod meter;
pub mod mirror;
pub mod neigh;
pub mod pipeline;
pub mod policy;
pub mod room;
pub mod skb;
pub mod sweep;
pub mod tables;
pub mod vlan;
pub mod watch;

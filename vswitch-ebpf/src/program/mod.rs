//! What touches the kernel: maps, helpers, and the order of the stages.

pub mod cache;
pub mod clock;
pub mod count;
pub mod fdb;
pub mod flood;
pub mod helper;
pub mod journal;
pub mod pipeline;
pub mod skb;
pub mod tables;
pub mod watch;

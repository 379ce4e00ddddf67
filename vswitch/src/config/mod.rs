//! The user's words, turned into values that cannot be wrong. No I/O here.

pub mod acl;
pub mod keys;
pub mod port;
pub mod switch;
pub mod text;
pub mod vlan;

//! Carries out what the user wants: between the words ([`crate::config`]) and the two doors to the outside world,
//! [`crate::datapath`] and [`crate::host`].

pub mod acl;
pub mod error;
pub mod fdb;
pub mod mirror;
pub mod monitor;
pub mod neigh;
pub mod opened;
pub mod port;
pub mod repair;
pub mod ruled;
pub mod summary;
pub mod switch;
pub mod vlan;

pub use error::ControlError;
pub use opened::Opened;

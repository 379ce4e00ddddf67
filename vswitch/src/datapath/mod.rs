//! The switch in the kernel: load it, find it again, change it. The only module that speaks BPF.
//!
//! State lives in bpffs under `vswitch/v<ABI>/<switch>/{maps,progs,links}`; see [`store`].

mod acl;
pub mod attach;
mod btf;
pub mod clock;
pub mod error;
pub mod fdb;
mod feature;
pub mod journal;
mod meter;
mod mirror;
pub mod neigh;
pub mod object;
pub mod store;
pub mod tables;
mod vlan;
pub mod watch;

pub use error::DatapathError;
pub use store::Store;
pub use tables::Tables;

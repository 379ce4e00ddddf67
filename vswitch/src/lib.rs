//! A Linux virtual switch whose data plane is eBPF.
//!
//! The corridor, left to right: [`cli`] describes what the user wants, [`control`] carries it out with the two doors to
//! the outside world: [`datapath`], the only module that speaks BPF, and [`host`], the only one that speaks netlink.

pub mod cli;
pub mod config;
pub mod control;
pub mod datapath;
pub mod host;
pub mod name;

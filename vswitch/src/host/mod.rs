//! The door to the machine: links, addresses and namespaces. The only module that speaks netlink.
//!
//! [`Host`] is a connection to one namespace, [`netns`] knows the namespaces themselves. Everything here tells what
//! the kernel has and changes it at once; nothing is remembered.

mod address;
mod change;
mod create;
mod error;
mod gro;
mod group;
mod kind;
mod link;
mod moving;
mod netlink;
pub mod netns;
mod nsid;
mod peer;
mod query;
mod set;
mod snapshot;
pub mod tap;
mod uninterrupted;
mod veth;

pub use self::{
    change::Change,
    create::{IpvlanMode, MacvlanMode, VirtualLink},
    error::HostError,
    kind::LinkKind,
    link::{Link, LinkAddress, TunDetails},
    moving::{Moved, move_link},
    netlink::Host,
    netns::Netns,
    peer::{Atlas, Place},
    uninterrupted::Uninterrupted,
    veth::VethSpec,
};

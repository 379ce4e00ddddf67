//! Tools of the privileged end-to-end tests, shared with the demo and the benches.
//!
//! Every test starts with [`sandbox::Sandbox::enter`]: the thread gets network and mount namespaces of its own, so
//! that nothing on the machine is touched and nothing is left behind, whatever way the test ends.
//!
//! A test then builds a [`topology::Lan`], on the switch or on the Linux bridge, and says which stations a frame
//! reaches: [`topology::Lan::expect`]. A behaviour that both must show is written once and run on both
//! ([`on_both`]): the bridge proves that the test is right.
#![expect(clippy::missing_panics_doc, reason = "a test harness panics by design when an expectation fails")]

pub mod ask;
pub mod baseline;
pub mod cpu;
pub mod demo;
pub mod device;
pub mod differential;
pub mod frame;
pub mod inventory;
pub mod iproute;
pub mod mutate;
pub mod netlink;
pub mod packet;
pub mod port;
pub mod prog_run;
pub mod random;
pub mod require;
pub mod sandbox;
pub mod state;
pub mod topology;
pub mod transfer;
pub mod vlan_model;
pub mod vswitch;
pub mod wait;

//! Tools of the privileged end-to-end tests, shared with the demo and the benches.
//!
//! Every test starts with [`sandbox::Sandbox::enter`]: the thread gets network and mount namespaces of its own, so
//! that nothing on the machine is touched and nothing is left behind, whatever way the test ends.

pub mod device;
pub mod sandbox;

//! Where a frame ends. Each outcome has exactly one counter.

use vswitch_common::{
    drop::DropReason,
    port::{Redirect, Slot},
    vlan::Retag,
};

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It leaves by one port.
    Forward(Egress),
    /// A copy leaves by every eligible port.
    Flood,
    /// The same for a question whose answer is known: not by ports with `neigh-suppress`.
    FloodKnown,
    /// The host's stack gets it, on the ingress device.
    Local,
    /// It was a question; turned into the answer, it leaves by the ingress port.
    Answer,
    /// It goes nowhere.
    Drop(DropReason),
}

/// The port by which a frame leaves, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Egress {
    /// The port.
    pub slot: Slot,
    /// Its device.
    pub ifindex: u32,
    /// Decided for this frame: [`Redirect::Peer`] only if it is addressed to the peer itself.
    pub redirect: Redirect,
    /// What becomes of its outer tag.
    pub retag: Retag,
}

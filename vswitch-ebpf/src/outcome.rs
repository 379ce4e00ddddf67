//! Where a frame ends. Each end has exactly one counter.

use vswitch_common::{
    drop::DropReason,
    port::{Redirect, Slot},
    vlan::Retag,
};

/// What becomes of a frame.
///
/// A record rather than an enum with values: what an enum does not use is undefined, the compiler copies it all the same,
/// and the verifier refuses to read a register that was never written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Which end.
    pub end: End,
    /// Why, for [`End::Drop`].
    pub reason: DropReason,
    /// By which port, for [`End::Forward`].
    pub egress: Egress,
}

/// The ends that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It leaves by one port.
    Forward,
    /// A copy leaves by every eligible port.
    Flood,
    /// The same for a question whose answer is known: not by ports with `neigh-suppress`.
    FloodKnown,
    /// The host's stack gets it, on the ingress device.
    Local,
    /// As [`End::FloodKnown`] for a question that the switch answers: after the copies, the frame is turned into the answer, and leaves
    /// by the ingress port.
    Answer,
    /// It goes nowhere.
    Drop,
}

impl Outcome {
    /// See [`End::Flood`].
    pub const FLOOD: Self = Self::end(End::Flood);
    /// See [`End::FloodKnown`].
    pub const FLOOD_KNOWN: Self = Self::end(End::FloodKnown);
    /// See [`End::Local`].
    pub const LOCAL: Self = Self::end(End::Local);
    /// See [`End::Answer`].
    pub const ANSWER: Self = Self::end(End::Answer);

    const fn end(end: End) -> Self {
        Self { end, reason: DropReason::Runt, egress: Egress::NONE }
    }

    /// See [`End::Forward`].
    #[inline(always)]
    pub const fn forward(egress: Egress) -> Self {
        Self { egress, ..Self::end(End::Forward) }
    }

    /// See [`End::Drop`].
    #[inline(always)]
    pub const fn drop(reason: DropReason) -> Self {
        Self { reason, ..Self::end(End::Drop) }
    }
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

impl Egress {
    /// No port.
    pub const NONE: Self = Self { slot: 0, ifindex: 0, redirect: Redirect::Dev, retag: Retag::KEEP };
}

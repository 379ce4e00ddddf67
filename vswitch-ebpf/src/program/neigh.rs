//! Questions for addresses (ARP, neighbour discovery) that the switch can answer.

use vswitch_common::port::PortConfig;

use super::skb::Skb;

/// What a frame is for the switch.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Question {
    /// Nothing to be answered.
    Other,
    /// A question whose answer is known; it need not go to ports with `neigh-suppress`.
    Known,
    /// A question that the frame is now the answer to.
    Answered,
}

/// Looks at a frame, and answers.
#[inline(always)]
pub fn ask(_skb: &Skb, _port: &PortConfig, _vlan: u16) -> Question {
    Question::Other
}

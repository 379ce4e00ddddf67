//! Counters, and how they add up.
//!
//! For every port: `rx_frames = forwarded + flooded + local + answered + sum(drops)`. For every switch: the sum of
//! `tx_frames` and `tx_drops` is what was forwarded and answered plus every copy of what was flooded or answered.

use crate::drop::DropReason;

/// One CPU's counters of one port.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct PortStats {
    /// Frames that entered the switch by this port; a GSO aggregate counts as one.
    pub rx_frames: u64,
    /// Their bytes, with the Ethernet header, without the FCS.
    pub rx_bytes: u64,
    /// Of these, sent to one port.
    pub forwarded: u64,
    /// Of these, sent to all eligible ports.
    pub flooded: u64,
    /// Of these, handed to the host's stack on the ingress device.
    pub local: u64,
    /// Of these, questions for an address that the switch answered itself.
    pub answered: u64,
    /// Copies that mirror sessions sent out of this port; not in `tx_frames`.
    pub mirrored: u64,
    /// Frames and copies sent out of this port.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Received frames that went nowhere, by [`DropReason`].
    pub drops: [u64; DropReason::SLOTS],
    /// Copies of flooded frames that could not leave by this port, by [`DropReason`].
    pub tx_drops: [u64; DropReason::SLOTS],
}

const _: () = assert!(size_of::<PortStats>() == 8 * (9 + 2 * DropReason::SLOTS));

impl PortStats {
    /// Adds another CPU's counters.
    pub fn add(&mut self, other: &Self) {
        let Self {
            rx_frames,
            rx_bytes,
            forwarded,
            flooded,
            local,
            answered,
            mirrored,
            tx_frames,
            tx_bytes,
            drops,
            tx_drops,
        } = other;
        self.rx_frames = self.rx_frames.wrapping_add(*rx_frames);
        self.rx_bytes = self.rx_bytes.wrapping_add(*rx_bytes);
        self.forwarded = self.forwarded.wrapping_add(*forwarded);
        self.flooded = self.flooded.wrapping_add(*flooded);
        self.local = self.local.wrapping_add(*local);
        self.answered = self.answered.wrapping_add(*answered);
        self.mirrored = self.mirrored.wrapping_add(*mirrored);
        self.tx_frames = self.tx_frames.wrapping_add(*tx_frames);
        self.tx_bytes = self.tx_bytes.wrapping_add(*tx_bytes);
        for (sum, value) in self.drops.iter_mut().zip(drops) {
            *sum = sum.wrapping_add(*value);
        }
        for (sum, value) in self.tx_drops.iter_mut().zip(tx_drops) {
            *sum = sum.wrapping_add(*value);
        }
    }

    /// Received frames that went nowhere, whatever the reason.
    pub fn dropped(&self) -> u64 {
        self.drops.iter().fold(0, |sum, value| sum.wrapping_add(*value))
    }

    /// Whether every received frame ended in exactly one counter.
    pub fn is_conserved(&self) -> bool {
        let ends = [self.forwarded, self.flooded, self.local, self.answered, self.dropped()];
        self.rx_frames == ends.into_iter().fold(0, u64::wrapping_add)
    }
}

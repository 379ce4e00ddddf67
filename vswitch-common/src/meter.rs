//! Meters: how much of something a port may carry.
//!
//! A meter is a token bucket in the form of the generic cell rate algorithm (ITU-T I.371): one word of state, the time at
//! which the bucket would be full again, so that CPUs share it with one compare-and-exchange.

/// What a meter measures; its place in a port's row of eight.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MeterKind {
    /// Broadcast that the port receives.
    Broadcast = 0,
    /// Multicast that the port receives.
    Multicast = 1,
    /// Unknown unicast that the port receives.
    UnknownUnicast = 2,
    /// All that the port receives.
    PoliceIn = 3,
    /// All that the port sends.
    PoliceOut = 4,
}

/// Meters of each port; a power of two.
pub const METERS_PER_PORT: u32 = 8;

/// One row of the `METERS` map. The controller writes it whole, which also fills the bucket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// When the bucket is full again, in nanoseconds of `CLOCK_MONOTONIC`; written by the program.
    pub full_at: u64,
    /// Time that one unit takes at the rate allowed, in nanoseconds × 1024.
    pub cost: u64,
    /// Time that the burst allowed takes at that rate, in nanoseconds.
    pub burst: u64,
    /// What is counted: 0 nothing (no meter), 1 frames, 2 bytes. An aggregate counts as the frames that it stands for.
    pub unit: u32,
    /// Padding, always zero.
    pub reserved: u32,
    /// The rate as the user wrote it, in units per second (frames, or bits).
    pub rate: u64,
    /// The burst as the user wrote it, in units (frames, or bytes).
    pub burst_units: u64,
}

const _: () = assert!(size_of::<Meter>() == 48);

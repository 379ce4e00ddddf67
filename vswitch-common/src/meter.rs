//! Meters: how much of something a port may carry.
//!
//! A meter is a token bucket in the form of the generic cell rate algorithm (ITU-T I.371): one word of state, the time at
//! which the bucket would be full again, so that CPUs share it with one compare-and-exchange.
//!
//! Time is counted in ticks, sixteen to a nanosecond: at 100 Gbit/s a byte takes 1.28 of them. A word lasts for 36 years
//! of uptime.

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

impl MeterKind {
    /// All kinds, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Broadcast, Self::Multicast, Self::UnknownUnicast, Self::PoliceIn, Self::PoliceOut];
}

/// Meters of each port; a power of two.
pub const METERS_PER_PORT: u32 = 8;

/// Ticks of a meter's clock in a second.
pub const TICKS_PER_SECOND: u64 = 16_000_000_000;
/// `CLOCK_MONOTONIC` in nanoseconds, shifted by this, is ticks.
pub const TICK_SHIFT: u32 = 4;
/// Binary places of [`Meter::cost`].
pub const COST_SHIFT: u32 = 16;
/// The lowest rate: one unit a second. What is below has no cost that fits.
pub const MAX_COST: u64 = TICKS_PER_SECOND << COST_SHIFT;
/// The most units that one frame counts, and the most that a burst may have: 256 Mi.
pub const MAX_UNITS: u32 = 1 << 28;

/// What a meter counts.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Nothing: there is no meter.
    None = 0,
    /// Frames. An aggregate counts as the frames that it stands for.
    Frames = 1,
    /// Bytes of layer 2 without FCS. An aggregate counts as the frames that it stands for, with a header each.
    Bytes = 2,
}

impl Unit {
    /// From the word in the map.
    #[inline(always)]
    pub const fn from_u32(value: u32) -> Self {
        match value {
            1 => Self::Frames,
            2 => Self::Bytes,
            _ => Self::None,
        }
    }
}

/// One row of the `METERS` map. The controller writes it whole, which also fills the bucket.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Meter {
    /// When the bucket is full again, in ticks of `CLOCK_MONOTONIC`; written by the program.
    pub full_at: u64,
    /// Time that one unit takes at the rate allowed, in ticks × 65536; [`MAX_COST`] at most.
    pub cost: u64,
    /// Time that the burst allowed takes at that rate, in ticks.
    pub burst: u64,
    /// A [`Unit`].
    pub unit: u32,
    /// Padding, always zero.
    pub reserved: u32,
    /// The rate as the user wrote it, in units per second (frames, or bits).
    pub rate: u64,
    /// The burst as the user wrote it, in units (frames, or bytes).
    pub burst_units: u64,
}

const _: () = assert!(size_of::<Meter>() == 48);

/// Time that so many units take at a cost, in ticks, rounded up: nothing passes for less than it costs.
///
/// No step overflows, whatever the arguments: the halves of the cost are multiplied one by one.
#[inline(always)]
pub const fn ticks(cost: u64, units: u32) -> u64 {
    let cost = if cost > MAX_COST { MAX_COST } else { cost };
    let units = if units > MAX_UNITS { MAX_UNITS } else { units } as u64;
    let fraction = (cost & ((1 << COST_SHIFT) - 1)) * units;
    (cost >> COST_SHIFT) * units + ((fraction + ((1 << COST_SHIFT) - 1)) >> COST_SHIFT)
}

const _: () = assert!(TICKS_PER_SECOND.checked_mul(MAX_UNITS as u64 + 1).is_some());

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn time_is_rounded_up(cost in 0..=MAX_COST, units in 0..=MAX_UNITS) {
            let exact = u128::from(cost) * u128::from(units);
            prop_assert_eq!(u128::from(ticks(cost, units)), exact.div_ceil(1 << COST_SHIFT));
        }

        #[test]
        fn nothing_overflows(cost: u64, units: u32) {
            prop_assert!(ticks(cost, units) <= TICKS_PER_SECOND * u64::from(MAX_UNITS));
        }
    }
}

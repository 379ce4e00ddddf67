//! Random numbers that can be had again.

use std::{
    env, thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

/// Name of the variable that fixes the seed.
pub const VARIABLE: &str = "VSWITCH_SEED";

/// A generator (`SplitMix64`) that prints its seed when the test fails.
#[derive(Debug)]
pub struct Random {
    seed: u64,
    state: u64,
}

impl Random {
    /// Seeded by the variable `VSWITCH_SEED`, else by the clock.
    ///
    /// # Panics
    /// When the variable is not a number.
    pub fn from_environment() -> Self {
        let seed = match env::var(VARIABLE) {
            Ok(text) => text.parse().unwrap_or_else(|_| panic!("{VARIABLE}=`{text}` is not a number")),
            Err(_) => {
                SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| u64::from(now.subsec_nanos()))
            }
        };
        Self::new(seed)
    }

    /// With that seed.
    pub fn new(seed: u64) -> Self {
        Self { seed, state: seed }
    }

    /// Another generator, for another thread, that is had again together with this one.
    #[must_use]
    pub fn child(&mut self) -> Self {
        Self { seed: self.seed, state: self.number() }
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ self.state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    /// A number from 0 up to, but not including, `end`.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.number() % end as u64).unwrap_or(0)
    }

    /// A time from nothing to that long.
    pub fn up_to(&mut self, longest: Duration) -> Duration {
        longest * u32::from(self.number().to_le_bytes()[0]) / 255
    }

    /// One of them.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> &'a T {
        &choices[self.below(choices.len())]
    }

    /// True once in `times`, on average.
    pub fn once_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }
}

impl Drop for Random {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("this run can be repeated with {VARIABLE}={}", self.seed);
        }
    }
}

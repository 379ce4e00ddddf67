//! What the benches share: the three ways to connect two namespaces, and what is sent over them.

pub mod pair;
pub mod stream;

use std::time::Duration;

/// The middle one, and the extremes.
pub fn median(mut samples: Vec<Duration>) -> (Duration, Duration, Duration) {
    samples.sort();
    let at = |index: usize| samples.get(index).copied().unwrap_or_default();
    (at(samples.len() / 2), at(0), at(samples.len().saturating_sub(1)))
}

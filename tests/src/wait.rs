//! Waiting for something with a deadline, rather than for a time.

use std::{
    thread,
    time::{Duration, Instant},
};

/// How long anything may take before a test gives up; far more than it ever needs.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Polls until the condition holds.
///
/// # Panics
/// When it does not within [`DEADLINE`].
#[track_caller]
pub fn until(what: &str, condition: impl FnMut() -> bool) {
    let start = Instant::now();
    assert!(within(DEADLINE, condition), "not within {:?}: {what}", start.elapsed());
}

/// Polls until the condition holds or the time is over; whether it came to hold.
pub fn within(time: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + time;
    loop {
        if condition() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

//! The kernel's tick counter, which user space cannot read by itself.

use std::path::Path;

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use nix::time::{ClockId, clock_getres};
use vswitch_common::map::PROGRAM_CLOCK;

use super::{DatapathError, Tables};

/// The shortest frame that a test run takes.
const FRAME: [u8; 14] = [0; 14];

/// Ticks per second of the running kernel (`CONFIG_HZ`): the coarse clocks advance once per tick.
pub fn hz() -> u32 {
    let fallback = 250;
    let Ok(tick) = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE) else {
        return fallback;
    };
    let nanoseconds = tick.tv_nsec();
    if nanoseconds <= 0 { fallback } else { u32::try_from(1_000_000_000 / nanoseconds).unwrap_or(fallback) }
}

/// Jiffies of now: runs the switch's clock program, which writes them down.
pub fn jiffies(switch: &Path, tables: &Tables) -> Result<u64, DatapathError> {
    let program = SchedClassifier::from_pin(switch.join("progs").join(PROGRAM_CLOCK))?;
    program.test_run(TestRunOptions { data_in: Some(&FRAME), ..TestRunOptions::new() })?;
    Ok(tables.state()?.jiffies)
}

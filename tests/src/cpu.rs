//! Where a thread runs.

use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

/// Keeps the calling thread, and with it the softirqs that it causes, on that CPU: there the kernel keeps the order.
///
/// # Panics
/// When there is no such CPU.
pub fn stay_on(cpu: usize) {
    let mut cpus = CpuSet::new();
    cpus.set(cpu).expect("a CPU that a set can have");
    sched_setaffinity(Pid::from_raw(0), &cpus).expect("stay on a CPU");
}

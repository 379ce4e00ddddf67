//! A stretch in which Ctrl-C waits: a command leaves the old state or the new one, never something between.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};

/// While it lives, SIGINT, SIGTERM and SIGHUP are held back; they take effect when it is dropped. The stretches are
/// short: making a port takes milliseconds.
#[derive(Debug)]
pub struct Critical {
    before: SigSet,
}

impl Critical {
    /// Begins the stretch. To be begun after the lock is taken, so that waiting for it can be interrupted.
    pub fn begin() -> Self {
        let mut held = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            held.add(signal);
        }
        let mut before = SigSet::empty();
        if let Err(errno) = sigprocmask(SigmaskHow::SIG_BLOCK, Some(&held), Some(&mut before)) {
            tracing::warn!("signals cannot be held back: {errno}");
        }
        Self { before }
    }
}

impl Drop for Critical {
    fn drop(&mut self) {
        if let Err(errno) = sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None) {
            tracing::warn!("signals stay held back: {errno}");
        }
    }
}

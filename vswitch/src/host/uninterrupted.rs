//! Work that is done as a whole or not at all, whatever the user presses.

use nix::sys::signal::{SigSet, SigmaskHow, Signal, pthread_sigmask};

/// While this lives, Ctrl-C and its like wait: the calling thread, and threads that it starts, get them afterwards.
///
/// For a few system calls that belong together, not for waiting.
#[derive(Debug)]
pub struct Uninterrupted {
    before: SigSet,
}

impl Uninterrupted {
    /// Begins the stretch.
    #[must_use]
    pub fn begin() -> Self {
        let mut before = SigSet::empty();
        let stops: SigSet =
            [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP, Signal::SIGQUIT].into_iter().collect();
        // It fails for a wrong argument only; the work is then merely interruptible.
        let _ = pthread_sigmask(SigmaskHow::SIG_BLOCK, Some(&stops), Some(&mut before));
        Self { before }
    }
}

impl Drop for Uninterrupted {
    fn drop(&mut self) {
        let _ = pthread_sigmask(SigmaskHow::SIG_SETMASK, Some(&self.before), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_is_as_before_afterwards() {
        let blocked = || SigSet::thread_get_mask().expect("mask").contains(Signal::SIGINT);
        assert!(!blocked());
        let outer = Uninterrupted::begin();
        drop(Uninterrupted::begin());
        assert!(blocked());
        drop(outer);
        assert!(!blocked());
    }
}

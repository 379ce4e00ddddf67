//! Ctrl-C, and a deadline for the whole demo. What is in a sandbox goes with the process; what is on the host is
//! undone first.

use std::{
    fmt,
    os::fd::AsFd,
    process,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sys::{
        signal::{SigSet, Signal},
        signalfd::{SfdFlags, SignalFd},
    },
};

/// Far more than the demo takes.
const DEADLINE: Duration = Duration::from_mins(3);

type Undo = Box<dyn FnOnce() + Send>;

/// Watches over the demo on a thread of its own.
#[derive(Clone, Default)]
pub struct Watch {
    undo: Arc<Mutex<Option<Undo>>>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// Starts it. Must be called before any other thread is started, because those inherit the blocked signals.
    ///
    /// # Errors
    /// When the kernel refuses the descriptor or the thread.
    pub fn start() -> Result<Self> {
        let signals: SigSet = [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect();
        signals.thread_block().context("block the signals")?;
        let file = SignalFd::with_flags(&signals, SfdFlags::SFD_CLOEXEC).context("receive the signals")?;
        let watch = Self::default();
        let undo = watch.clone();
        thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let reason = await_end(&file);
            eprintln!("\ndemo: {reason}");
            undo.undo();
            process::exit(130);
        })?;
        Ok(watch)
    }

    /// Says what undoes the demo when it cannot end by itself.
    pub fn on_failure(&self, undo: impl FnOnce() + Send + 'static) {
        *self.undo.lock().unwrap_or_else(PoisonError::into_inner) = Some(Box::new(undo));
    }

    /// There is nothing to undo any more.
    pub fn disarm(&self) {
        drop(self.take());
    }

    /// Undoes the demo, once.
    pub fn undo(&self) {
        if let Some(undo) = self.take() {
            undo();
        }
    }

    fn take(&self) -> Option<Undo> {
        self.undo.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Sleeps until a signal or the deadline; which of them.
fn await_end(file: &SignalFd) -> &'static str {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(file.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return "it takes far too long, so it ends here",
            Ok(_) => return "interrupted",
            Err(_) => {}
        }
    }
}

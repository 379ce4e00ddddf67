//! The program's log: slow-path events, as they happen.

use std::path::Path;

use aya::programs::SchedClassifier;
use aya_log::EbpfLogger;
use tokio::io::{Interest, unix::AsyncFd};
use vswitch_common::map::PROGRAM_TC;

use super::DatapathError;

/// A reader of the log of one switch.
pub struct Journal<T: log::Log> {
    logger: AsyncFd<EbpfLogger<T>>,
}

impl<T: log::Log> Journal<T> {
    /// Follows the log of a switch; each record is given to `sink`. Needs a tokio runtime.
    pub fn open(switch: &Path, sink: T) -> Result<Self, DatapathError> {
        let program = SchedClassifier::from_pin(switch.join("progs").join(PROGRAM_TC))?;
        let id = program.info()?.id();
        let logger = EbpfLogger::init_from_id_with_logger(id, sink)
            .map_err(|error| DatapathError::bpf("opening the log of the switch", &error))?;
        // SAFETY: the descriptor belongs to the ring buffer in `logger`, which stays open and unchanged as long as
        // the `AsyncFd` that owns it.
        let logger = unsafe { AsyncFd::register_with_interest(logger, Interest::READABLE) }
            .map_err(|error| DatapathError::state("watch the log of", switch, error.into()))?;
        Ok(Self { logger })
    }

    /// Waits until there is something to be told, and gives it to the sink.
    pub async fn flush(&mut self) -> Result<(), DatapathError> {
        let mut ready = self
            .logger
            .readable_mut()
            .await
            .map_err(|error| DatapathError::state("read", "the log", error))?;
        ready.get_inner_mut().flush();
        ready.clear_ready();
        Ok(())
    }
}

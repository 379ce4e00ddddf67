//! The program's log: slow-path events, as they happen.

use std::{
    os::fd::{AsRawFd, RawFd},
    path::Path,
};

use aya::programs::SchedClassifier;
use aya_log::EbpfLogger;
use vswitch_common::map::PROGRAM_TC;

use super::DatapathError;

/// A reader of the log of one switch. It becomes readable when there is something to be told.
pub struct Journal<T: log::Log> {
    logger: EbpfLogger<T>,
}

impl<T: log::Log> Journal<T> {
    /// Follows the log of a switch; each record is given to `sink`.
    pub fn open(switch: &Path, sink: T) -> Result<Self, DatapathError> {
        let program = SchedClassifier::from_pin(switch.join("progs").join(PROGRAM_TC))?;
        let id = program.info()?.id();
        let logger = EbpfLogger::init_from_id_with_logger(id, sink)
            .map_err(|error| DatapathError::bpf("opening the log of the switch", &error))?;
        Ok(Self { logger })
    }

    /// Gives everything that is there to the sink.
    pub fn flush(&mut self) {
        self.logger.flush();
    }
}

impl<T: log::Log> AsRawFd for Journal<T> {
    fn as_raw_fd(&self) -> RawFd {
        self.logger.as_raw_fd()
    }
}

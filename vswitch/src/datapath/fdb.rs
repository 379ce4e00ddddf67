//! The FDB from user space.

use aya::{
    maps::MapError,
    programs::{SchedClassifier, TestRun as _, TestRunOptions},
};
use vswitch_common::{
    fdb::{FdbEntry, FdbKey},
    map::{PROGRAM_SWEEP, ring_places},
    port::Slot,
    request::{Answer, Request, Selector, Verb},
};

use super::{DatapathError, Tables};

/// Places of the ring that are swept in one run: some milliseconds.
const PART: u32 = 65_536;
/// How often an address that is just being changed is asked for again.
const PATIENCE: u32 = 1000;

impl Tables {
    /// All entries, expired and orphaned ones included; one that changes meanwhile is seen as it was or as it is.
    pub fn fdb_entries(&self) -> Result<Vec<(FdbKey, FdbEntry)>, DatapathError> {
        let mut entries = Vec::new();
        for row in &self.fdb {
            match row {
                Ok(row) => entries.push(row),
                // Removed by the program between two steps of the walk.
                Err(MapError::KeyNotFound) => {}
                Err(error) => return Err(error.into()),
            }
        }
        entries.sort_by_key(|(key, _)| (key.vlan(), key.mac()));
        Ok(entries)
    }

    /// One entry.
    pub fn fdb_entry(&self, key: FdbKey) -> Result<Option<FdbEntry>, DatapathError> {
        match self.fdb.get(&key, 0) {
            Ok(entry) => Ok(Some(entry)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The VLANs that a port is in.
    pub fn vids(&self, slot: Slot) -> Result<Vec<u16>, DatapathError> {
        Ok(self.vlans.get(&u32::from(slot), 0)?.vids().collect())
    }

    /// Adds or replaces an entry, in one step and with the counters that go with it; verdicts are void afterwards. The
    /// program says when it was seen and in which epoch. Without `replaces`, an entry that somebody has added stays.
    pub fn fdb_put(
        &mut self,
        key: FdbKey,
        entry: &FdbEntry,
        replaces: bool,
    ) -> Result<Answer, DatapathError> {
        let verb = if replaces { Verb::Replace } else { Verb::Add };
        for _ in 0..PATIENCE {
            let answer =
                Answer::from_u32(self.request(&Request { key, entry: *entry, ..Request::new(verb) })?);
            if answer != Answer::Busy {
                return Ok(answer);
            }
            std::thread::yield_now();
        }
        Err(DatapathError::Bpf {
            what: "changing the FDB",
            cause: "the address is changed all the time".to_owned(),
        })
    }

    /// Removes what is selected, each entry in one step and with the counters that go with it, and returns how many there
    /// were. Done in parts, so that no CPU is kept from its frames for long.
    pub fn fdb_sweep(&mut self, selector: Selector) -> Result<usize, DatapathError> {
        let config = self.config()?;
        let places = ring_places(config.fdb_size, config.port_slots);
        let mut removed = 0;
        let mut first = 0;
        while first < places {
            let count = PART.min(places - first);
            let answer = self.request(&Request { selector, first, count, ..Request::new(Verb::Sweep) })?;
            removed += usize::try_from(answer).unwrap_or(0);
            first += count;
        }
        Ok(removed)
    }

    /// Removes everything that points at a port.
    pub fn fdb_remove_port(&mut self, slot: Slot) -> Result<usize, DatapathError> {
        self.fdb_sweep(Selector { slot, ..Selector::EVERYTHING })
    }

    /// Removes what ages of a port.
    pub fn fdb_forget_port(&mut self, slot: Slot) -> Result<usize, DatapathError> {
        self.fdb_sweep(Selector { slot, kinds: Selector::AGEING, ..Selector::EVERYTHING })
    }

    /// Opens a port, should a guard have shut it; its moves are counted anew.
    pub fn open_port(&mut self, slot: Slot) -> Result<(), DatapathError> {
        let selector = Selector { slot, ..Selector::EVERYTHING };
        self.request(&Request { selector, ..Request::new(Verb::Open) })?;
        Ok(())
    }

    /// Runs the sweep program on a request, and returns its answer.
    fn request(&self, request: &Request) -> Result<u32, DatapathError> {
        let program = SchedClassifier::from_pin(self.switch.join("progs").join(PROGRAM_SWEEP))?;
        let mut frame = [0; size_of::<Request>()];
        // SAFETY: a `Request` is integers without padding, and `frame` has its size.
        unsafe { frame.as_mut_ptr().cast::<Request>().write_unaligned(*request) };
        let result = program.test_run(TestRunOptions { data_in: Some(&frame), ..TestRunOptions::new() })?;
        Ok(result.return_value)
    }
}

//! The FDB from user space.

use aya::maps::MapError;
use vswitch_common::{
    fdb::{FdbEntry, FdbKey},
    port::Slot,
};

use super::{DatapathError, Tables};

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

    /// Adds or replaces an entry, and voids the verdicts.
    ///
    /// # Errors
    /// [`DatapathError::FdbFull`] when there is no room.
    pub fn fdb_set(&mut self, key: FdbKey, entry: &FdbEntry) -> Result<(), DatapathError> {
        match self.fdb.insert(key, entry, 0) {
            Ok(()) => self.void_verdicts(),
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::E2BIG) => {
                Err(DatapathError::FdbFull)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the entries for which `wanted` says so, voids the verdicts, and returns how many there were.
    pub fn fdb_remove(&mut self, wanted: impl Fn(FdbKey, &FdbEntry) -> bool) -> Result<usize, DatapathError> {
        let mut removed = 0;
        for (key, entry) in self.fdb_entries()? {
            if wanted(key, &entry) {
                match self.fdb.remove(&key) {
                    Ok(()) => removed += 1,
                    Err(MapError::KeyNotFound) => {}
                    Err(MapError::SyscallError(error))
                        if error.io_error.raw_os_error() == Some(libc::ENOENT) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        self.void_verdicts()?;
        Ok(removed)
    }

    /// Removes everything that points at a port.
    pub fn fdb_remove_port(&mut self, slot: Slot) -> Result<usize, DatapathError> {
        self.fdb_remove(|_, entry| entry.slot == slot)
    }
}

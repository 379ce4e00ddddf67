//! The known neighbours, from user space.

use aya::maps::MapError;
use vswitch_common::neigh::{NeighEntry, NeighKey};

use super::{DatapathError, Tables};

impl Tables {
    /// All entries, by VLAN and address.
    pub fn neighs(&self) -> Result<Vec<(NeighKey, NeighEntry)>, DatapathError> {
        let mut entries = self.neighs.iter().collect::<Result<Vec<_>, _>>()?;
        entries.sort_by_key(|(key, _)| (key.vlan, key.address));
        Ok(entries)
    }

    /// One entry.
    pub fn neigh(&self, key: &NeighKey) -> Result<Option<NeighEntry>, DatapathError> {
        match self.neighs.get(key, 0) {
            Ok(entry) => Ok(Some(entry)),
            Err(MapError::KeyNotFound) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds or replaces an entry. No verdict depends on it: questions are not cached.
    ///
    /// # Errors
    /// [`DatapathError::NeighsFull`] when there is no room.
    pub fn set_neigh(&mut self, key: &NeighKey, entry: &NeighEntry) -> Result<(), DatapathError> {
        match self.neighs.insert(key, entry, 0) {
            Ok(()) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::E2BIG) => {
                Err(DatapathError::NeighsFull)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Removes the entries for which `wanted` says so, and returns how many there were.
    pub fn remove_neighs(
        &mut self,
        wanted: impl Fn(&NeighKey, &NeighEntry) -> bool,
    ) -> Result<usize, DatapathError> {
        let mut removed = 0;
        for (key, entry) in self.neighs()? {
            if wanted(&key, &entry) {
                self.neighs.remove(&key)?;
                removed += 1;
            }
        }
        Ok(removed)
    }
}

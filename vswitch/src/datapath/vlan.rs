//! The VLANs of ports, from user space.

use aya::maps::MapError;
use vswitch_common::{
    port::Slot,
    vlan::{PortVlan, PortVlans, TranslateKey, VlanStats},
};

use super::{DatapathError, Tables};

impl Tables {
    /// The VLANs of a port.
    pub fn port_vlans(&self, slot: Slot) -> Result<PortVlans, DatapathError> {
        Ok(self.vlans.get(&u32::from(slot), 0)?)
    }

    /// Writes them, and voids the verdicts.
    pub fn set_port_vlans(&mut self, slot: Slot, vlans: &PortVlans) -> Result<(), DatapathError> {
        self.vlans.set(u32::from(slot), vlans, 0)?;
        self.void_verdicts()
    }

    /// The VLANs that have another number on the wire at a port: (on the wire, inside).
    pub fn vlan_map(&self, slot: Slot) -> Result<Vec<(u16, u16)>, DatapathError> {
        let mut pairs = Vec::new();
        for row in &self.vlan_map {
            let (key, inside) = match row {
                Ok(row) => row,
                Err(MapError::KeyNotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            if let (wire, false) = key.parts()
                && key.slot == slot
            {
                pairs.push((wire, inside));
            }
        }
        pairs.sort_unstable();
        Ok(pairs)
    }

    /// Replaces them, and voids the verdicts.
    ///
    /// # Errors
    /// [`DatapathError::VlanMapFull`] when there is no room; then nothing was changed.
    pub fn set_vlan_map(&mut self, slot: Slot, pairs: &[(u16, u16)]) -> Result<(), DatapathError> {
        let before = self.vlan_map(slot)?;
        // What stays mapped is overwritten in place, and what goes goes last: a number that is missing in between would
        // count as itself, which may be another VLAN.
        for (wire, inside) in pairs {
            let ways = [
                (TranslateKey::entering(slot, *wire), *inside),
                (TranslateKey::leaving(slot, *inside), *wire),
            ];
            for (key, value) in ways {
                match self.vlan_map.insert(key, value, 0) {
                    Ok(()) => {}
                    Err(MapError::SyscallError(error))
                        if error.io_error.raw_os_error() == Some(libc::E2BIG) =>
                    {
                        self.set_vlan_map(slot, &before)?;
                        return Err(DatapathError::VlanMapFull);
                    }
                    Err(error) => return Err(error.into()),
                }
            }
        }
        for (wire, inside) in &before {
            if !pairs.iter().any(|(other, _)| other == wire) {
                self.forget(TranslateKey::entering(slot, *wire))?;
            }
            if !pairs.iter().any(|(_, other)| other == inside) {
                self.forget(TranslateKey::leaving(slot, *inside))?;
            }
        }
        self.void_verdicts()
    }

    /// The counters of each VLAN at each port that ever counted, summed over all CPUs.
    pub fn vlan_stats(&self) -> Result<Vec<(PortVlan, VlanStats)>, DatapathError> {
        let mut all = Vec::new();
        for row in &self.vlan_stats {
            let (key, cpus) = match row {
                Ok(row) => row,
                Err(MapError::KeyNotFound) => continue,
                Err(error) => return Err(error.into()),
            };
            let mut sum = VlanStats::default();
            cpus.iter().for_each(|cpu| sum.add(cpu));
            all.push((key, sum));
        }
        Ok(all)
    }

    /// Forgets the counters of a port.
    pub fn clear_vlan_stats(&mut self, slot: Slot) -> Result<(), DatapathError> {
        for (key, _) in self.vlan_stats()? {
            if key.slot == slot {
                match self.vlan_stats.remove(&key) {
                    Ok(()) | Err(MapError::KeyNotFound) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, key: TranslateKey) -> Result<(), DatapathError> {
        match self.vlan_map.remove(&key) {
            Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
            Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => {
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

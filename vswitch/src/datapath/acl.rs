//! Rules and bindings from user space.

use aya::maps::{MapError, PerCpuValues};
use vswitch_common::{
    acl::{ACL_MASKS_MAX, AclCount, AclKey, AclMask, AclRule, AclSpec, BindingKey},
    port::Slot,
};

use super::{DatapathError, Tables};

/// `MEMBARRIER_CMD_GLOBAL` of `linux/membarrier.h`.
const MEMBARRIER_GLOBAL: libc::c_int = 1;

impl Tables {
    /// The rules of a bank, in their order.
    pub fn acl_specs(&self, bank: u16) -> Result<Vec<AclSpec>, DatapathError> {
        let mut specs = Vec::new();
        loop {
            match self.acl_specs.get(&spec_key(bank, specs.len()), 0) {
                Ok(spec) => specs.push(spec),
                Err(MapError::KeyNotFound) => return Ok(specs),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Fills the bank that is not in force. What is in it now may still be read by a program that has begun before the
    /// last change: that is waited for.
    pub fn acl_fill(
        &mut self,
        bank: u16,
        specs: &[AclSpec],
        masks: &[AclMask],
        rules: &[(AclKey, AclRule)],
    ) -> Result<(), DatapathError> {
        wait_for_programs();
        self.acl_clear(bank)?;
        for (key, rule) in rules {
            self.acl_rules.insert(key, rule, 0)?;
        }
        for (place, mask) in (u32::from(bank) * ACL_MASKS_MAX..).zip(masks) {
            self.acl_masks.set(place, mask, 0)?;
        }
        for (place, spec) in specs.iter().enumerate() {
            self.acl_specs.insert(spec_key(bank, place), spec, 0)?;
        }
        Ok(())
    }

    fn acl_clear(&mut self, bank: u16) -> Result<(), DatapathError> {
        self.acl_masks.set(u32::from(bank) * ACL_MASKS_MAX, AclMask::END, 0)?;
        let rules: Vec<AclKey> = self.acl_rules.keys().filter_map(Result::ok).collect();
        for key in rules.iter().filter(|key| key.bank() == bank) {
            self.acl_rules.remove(key)?;
        }
        let specs: Vec<u32> = self.acl_specs.keys().filter_map(Result::ok).collect();
        for key in specs.iter().filter(|key| *key >> 16 == u32::from(bank)) {
            self.acl_specs.remove(key)?;
        }
        Ok(())
    }

    /// What a rule has counted, summed over all CPUs.
    pub fn acl_count(&self, counter: u16) -> Result<AclCount, DatapathError> {
        let mut sum = AclCount::default();
        for cpu in self.acl_counts.get(&u32::from(counter), 0)?.iter() {
            sum.frames = sum.frames.wrapping_add(cpu.frames);
            sum.bytes = sum.bytes.wrapping_add(cpu.bytes);
        }
        Ok(sum)
    }

    /// Sets what a rule has counted to zero.
    pub fn acl_clear_count(&mut self, counter: u16) -> Result<(), DatapathError> {
        let cpus = aya::util::nr_cpus().map_err(|(path, error)| DatapathError::Bpf {
            what: "counting CPUs",
            cause: format!("{path}: {error}"),
        })?;
        let zero = PerCpuValues::try_from(vec![AclCount::default(); cpus])
            .map_err(|error| DatapathError::bpf("access to a BPF map", &error))?;
        Ok(self.acl_counts.set(u32::from(counter), zero, 0)?)
    }

    /// The addresses bound to a port.
    pub fn bindings(&self, slot: Slot) -> Result<Vec<BindingKey>, DatapathError> {
        let keys: Result<Vec<BindingKey>, MapError> = self.bindings.keys().collect();
        Ok(keys?.into_iter().filter(|key| key.slot == slot).collect())
    }

    /// Binds exactly these addresses to a port, and voids the verdicts.
    pub fn set_bindings(&mut self, slot: Slot, wanted: &[BindingKey]) -> Result<(), DatapathError> {
        let known = self.bindings(slot)?;
        for key in wanted.iter().filter(|key| !known.contains(key)) {
            self.bindings.insert(key, 1, 0)?;
        }
        for key in known.iter().filter(|key| !wanted.contains(key)) {
            self.bindings.remove(key)?;
        }
        if known.is_empty() && wanted.is_empty() { Ok(()) } else { self.void_verdicts() }
    }
}

fn spec_key(bank: u16, place: usize) -> u32 {
    u32::from(bank) << 16 | u32::try_from(place).unwrap_or(u32::MAX)
}

/// Waits until every program that runs now has ended: the kernel's grace period.
fn wait_for_programs() {
    // SAFETY: this command of membarrier(2) has no effect but the wait.
    let waited = unsafe { libc::syscall(libc::SYS_membarrier, MEMBARRIER_GLOBAL, 0, 0) };
    if waited != 0 {
        // Kernels with CPUs that are not to be disturbed refuse it. A program takes microseconds.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

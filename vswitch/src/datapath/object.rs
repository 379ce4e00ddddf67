//! The embedded BPF object, loaded once per switch.

use std::path::Path;

use aya::{
    Ebpf, EbpfLoader, VerifierLogLevel,
    programs::{Program, SchedClassifier},
};
use vswitch_common::{
    acl::{ACL_COUNTERS, ACL_KEYS_MAX, ACL_MASKS_MAX, ACL_RULES_MAX, BINDINGS_SIZE},
    config::SwitchConfig,
    map::{
        self, MIRROR_SESSIONS, NEIGHS_SIZE, PINNED, PROGRAM_CLOCK, PROGRAM_SWEEP, PROGRAM_TC, TRACEPOINT,
        VLAN_MAP_SIZE,
    },
    meter::METERS_PER_PORT,
};

use super::{DatapathError, feature, watch};

/// Built from `vswitch-ebpf` by `cargo xtask build`.
static OBJECT: &[u8] = aya::include_bytes_aligned!(env!("VSWITCH_BPF_OBJECT"));

/// Loads the programs and maps of a new switch and pins them in `directory`. Nothing runs yet: no port is attached.
///
/// # Errors
/// When the kernel refuses the object; whatever was pinned is in `directory` and goes with it.
pub fn load(directory: &Path, config: &SwitchConfig) -> Result<(), DatapathError> {
    feature::check()?;
    let watched = match watch::Kernel::read() {
        Ok(kernel) => load_watched(directory, config, &kernel)?,
        Err(error) => {
            pin(directory, config, None)?;
            Err(error)
        }
    };
    if let Err(error) = watched {
        tracing::warn!(
            "this kernel cannot tell the switch when a device goes down (tracepoint `{TRACEPOINT}`): {error}; \
             addresses behind it are forgotten by ageing, or by `vswitch fdb flush`"
        );
    }
    Ok(())
}

/// Loads a switch that is told when a device goes down; the inner error is why it is loaded without that.
fn load_watched(
    directory: &Path,
    config: &SwitchConfig,
    kernel: &watch::Kernel,
) -> Result<Result<(), DatapathError>, DatapathError> {
    match pin(directory, config, Some(kernel)) {
        Ok(mut object) => Ok(watch::start(directory, &mut object)),
        // A kernel that is locked down lets no program read its memory.
        Err(error) => match pin(directory, config, None) {
            Ok(_) => Ok(Err(error)),
            Err(_) => Err(error),
        },
    }
}

fn pin(
    directory: &Path,
    config: &SwitchConfig,
    kernel: Option<&watch::Kernel>,
) -> Result<Ebpf, DatapathError> {
    let mut loader = EbpfLoader::new();
    if let Some(kernel) = kernel {
        kernel.tell(&mut loader);
    }
    let mut object = loader
        // Reasons, not each instruction: that log is so long that a refusal would take minutes.
        .verifier_log_level(VerifierLogLevel::STATS)
        .map_max_entries(map::PORTS, config.port_slots)
        .map_max_entries(map::PORT_INDEX, config.port_slots)
        .map_max_entries(map::PORT_LINKS, config.port_slots)
        .map_max_entries(map::PORT_RECORDS, config.port_slots)
        .map_max_entries(map::STATS, config.port_slots)
        .map_max_entries(map::VLANS, config.port_slots)
        .map_max_entries(map::VLAN_MAP, VLAN_MAP_SIZE)
        .map_max_entries(map::METERS, config.port_slots * METERS_PER_PORT)
        .map_max_entries(map::MIRRORS, MIRROR_SESSIONS)
        .map_max_entries(map::NEIGHS, NEIGHS_SIZE)
        .map_max_entries(map::NOTES, config.port_slots)
        .map_max_entries(map::FDB, map::fdb_capacity(config.fdb_size, config.port_slots))
        .map_max_entries(map::FDB_RING, map::ring_places(config.fdb_size, config.port_slots))
        .map_max_entries(map::ACL_MASKS, 2 * ACL_MASKS_MAX)
        .map_max_entries(map::ACL_RULES, 2 * ACL_KEYS_MAX)
        .map_max_entries(map::ACL_COUNTS, ACL_COUNTERS)
        .map_max_entries(map::ACL_SPECS, 2 * ACL_RULES_MAX)
        .map_max_entries(map::BINDINGS, BINDINGS_SIZE)
        .load(OBJECT)?;
    for name in [PROGRAM_TC, PROGRAM_CLOCK, PROGRAM_SWEEP] {
        pin_program(&mut object, name, &directory.join("progs").join(name))?;
    }
    for name in PINNED {
        let found = object.map(name).ok_or_else(|| DatapathError::Bpf {
            what: "loading the BPF object",
            cause: format!("it has no map `{name}`"),
        })?;
        found.pin(directory.join("maps").join(name))?;
    }
    Ok(object)
}

fn pin_program(object: &mut Ebpf, name: &'static str, path: &Path) -> Result<(), DatapathError> {
    let program: &mut SchedClassifier = program(object, name)?.try_into()?;
    program.load().map_err(|error| DatapathError::load(name, &error))?;
    program.pin(path)?;
    Ok(())
}

/// A program of the object.
pub(super) fn program<'a>(
    object: &'a mut Ebpf,
    name: &'static str,
) -> Result<&'a mut Program, DatapathError> {
    object.program_mut(name).ok_or_else(|| DatapathError::Bpf {
        what: "loading the BPF object",
        cause: format!("it has no program `{name}`"),
    })
}

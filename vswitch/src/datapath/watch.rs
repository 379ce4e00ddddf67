//! The program that notices in the kernel when a port's device goes down or up.
//!
//! The switch works without it on a kernel that cannot have it; what is behind a port that went down is then forgotten
//! by the next command, or by ageing.

use std::{fs, path::Path};

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness,
    programs::{FEntry, links::FdLink},
};
use vswitch_common::{
    link::DeviceLayout,
    map::{DEVICE_LAYOUT, PROGRAM_WATCH, WATCHED},
};

use super::{DatapathError, btf::TypeInfo};

const TYPE_INFO: &str = "/sys/kernel/btf/vmlinux";

/// What the running kernel says about its own types.
pub struct Kernel {
    types: Btf,
    layout: DeviceLayout,
}

impl Kernel {
    /// Reads it.
    ///
    /// # Errors
    /// When the kernel was built without it (`CONFIG_DEBUG_INFO_BTF`), or is of a kind that we do not know.
    pub fn read() -> Result<Self, DatapathError> {
        let file = fs::read(TYPE_INFO).map_err(|e| DatapathError::state("read", TYPE_INFO, e))?;
        let unknown = |cause: String| DatapathError::Bpf {
            what: "reading the kernel's type information",
            cause,
        };
        let info = TypeInfo::parse(&file).ok_or_else(|| unknown("its format is unknown".to_owned()))?;
        let offset = |structure: &str, member: &str| {
            info.offset(structure, member)
                .ok_or_else(|| unknown(format!("there is no `{structure}.{member}`")))
        };
        let layout = DeviceLayout {
            ifindex: offset("net_device", "ifindex")?,
            flags: offset("net_device", "flags")?,
            state: offset("net_device", "state")?,
            net: offset("net_device", "nd_net")?,
            net_cookie: offset("net", "net_cookie")?,
        };
        let types = Btf::parse(&file, Endianness::default()).map_err(|error| unknown(error.to_string()))?;
        Ok(Self { types, layout })
    }

    /// Tells the object that is about to be loaded.
    pub fn tell<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader
            .btf(Some(&self.types))
            .override_global(DEVICE_LAYOUT, &self.layout, true);
    }
}

/// Starts watching. It goes on until the switch's directory is removed.
///
/// # Errors
/// When the kernel cannot trace its functions, or too many programs (38) watch the same one.
pub fn start(switch: &Path, object: &mut Ebpf, kernel: &Kernel) -> Result<(), DatapathError> {
    let program: &mut FEntry = object
        .program_mut(PROGRAM_WATCH)
        .ok_or_else(|| DatapathError::Bpf {
            what: "loading the BPF object",
            cause: format!("it has no program `{PROGRAM_WATCH}`"),
        })?
        .try_into()?;
    program
        .load(WATCHED, &kernel.types)
        .map_err(|error| DatapathError::load(PROGRAM_WATCH, &error))?;
    let id = program.attach()?;
    let link = FdLink::from(program.take_link(id)?);
    link.pin(pin(switch))?;
    Ok(())
}

/// Whether a switch notices when a port's device goes down or up.
pub fn is_on(switch: &Path) -> bool {
    pin(switch).exists()
}

fn pin(switch: &Path) -> std::path::PathBuf {
    switch.join("links").join("watch")
}

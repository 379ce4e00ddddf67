//! The program that notices in the kernel when a port's device goes down.
//!
//! The switch works without it on a kernel that cannot have it; what is behind a port that went down is then forgotten
//! by the next command, or by ageing.

use std::{
    fs,
    path::{Path, PathBuf},
};

use aya::{
    Ebpf, EbpfLoader,
    programs::{RawTracePoint, links::FdLink},
};
use vswitch_common::{
    link::DeviceLayout,
    map::{DEVICE_LAYOUT, PROGRAM_WATCH, TRACEPOINT},
};

use super::{DatapathError, btf::TypeInfo, object::program};

const TYPE_INFO: &str = "/sys/kernel/btf/vmlinux";

/// What the running kernel says about its own types.
pub struct Kernel {
    layout: DeviceLayout,
}

impl Kernel {
    /// Reads it.
    ///
    /// # Errors
    /// When the kernel was built without it (`CONFIG_DEBUG_INFO_BTF`), or is of a kind that we do not know.
    pub fn read() -> Result<Self, DatapathError> {
        let file = fs::read(TYPE_INFO).map_err(|e| DatapathError::state("read", TYPE_INFO, e))?;
        let unknown =
            |cause: String| DatapathError::Bpf { what: "reading the kernel's type information", cause };
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
            queue: offset("Qdisc", "dev_queue")?,
            queue_device: offset("netdev_queue", "dev")?,
        };
        Ok(Self { layout })
    }

    /// Tells the object that is about to be loaded.
    pub fn tell<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader.override_global(DEVICE_LAYOUT, &self.layout, true);
    }
}

/// Starts watching. It goes on until the switch's directory is removed.
///
/// # Errors
/// When the kernel has no such tracepoint (Linux 5.10).
pub fn start(switch: &Path, object: &mut Ebpf) -> Result<(), DatapathError> {
    let program: &mut RawTracePoint = program(object, PROGRAM_WATCH)?.try_into()?;
    program.load().map_err(|error| DatapathError::load(PROGRAM_WATCH, &error))?;
    let id = program.attach(TRACEPOINT)?;
    FdLink::from(program.take_link(id)?).pin(pin(switch))?;
    Ok(())
}

/// Whether a switch notices when a port's device goes down.
pub fn is_on(switch: &Path) -> bool {
    pin(switch).exists()
}

fn pin(switch: &Path) -> PathBuf {
    switch.join("links").join(PROGRAM_WATCH)
}

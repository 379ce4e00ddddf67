//! The programs that notice in the kernel when a port's device goes down or up.
//!
//! The switch works without them on a kernel that cannot have them; what is behind a port that went down is then forgotten
//! by the next command, or by ageing.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
};

use aya::{
    Btf, Ebpf, EbpfLoader, Endianness,
    programs::{FEntry, Program, RawTracePoint, links::FdLink},
};
use vswitch_common::{
    link::DeviceLayout,
    map::{DEVICE_LAYOUT, PROGRAM_WATCH, PROGRAM_WATCH_DOWN, TRACEPOINT, WATCHED},
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
        let types = Btf::parse(&file, Endianness::default()).map_err(|error| unknown(error.to_string()))?;
        Ok(Self { types, layout })
    }

    /// Tells the object that is about to be loaded.
    pub fn tell<'a>(&'a self, loader: &mut EbpfLoader<'a>) {
        loader.btf(Some(&self.types)).override_global(DEVICE_LAYOUT, &self.layout, true);
    }
}

/// How much a switch notices of the state of its ports' devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Watch {
    /// When they go down and when they come up.
    Full,
    /// When they go down.
    Down,
    /// Nothing.
    Off,
}

impl fmt::Display for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "full",
            Self::Down => "down",
            Self::Off => "off",
        })
    }
}

/// Starts watching, as well as this kernel can. It goes on until the switch's directory is removed.
///
/// # Errors
/// When the kernel can do neither.
pub fn start(switch: &Path, object: &mut Ebpf, kernel: &Kernel) -> Result<(), DatapathError> {
    let Err(error) = announcements(switch, object, kernel) else {
        return Ok(());
    };
    tracing::debug!("fentry of `{WATCHED}` is not available: {error}");
    let program: &mut RawTracePoint = program(object, PROGRAM_WATCH_DOWN)?.try_into()?;
    program.load().map_err(|error| DatapathError::load(PROGRAM_WATCH_DOWN, &error))?;
    let id = program.attach(TRACEPOINT)?;
    FdLink::from(program.take_link(id)?).pin(pin(switch, PROGRAM_WATCH_DOWN))?;
    Ok(())
}

/// Fails when the kernel does not let its functions be traced, or too many programs (38) trace the same one.
fn announcements(switch: &Path, object: &mut Ebpf, kernel: &Kernel) -> Result<(), DatapathError> {
    let program: &mut FEntry = program(object, PROGRAM_WATCH)?.try_into()?;
    program.load(WATCHED, &kernel.types).map_err(|error| DatapathError::load(PROGRAM_WATCH, &error))?;
    let id = program.attach()?;
    FdLink::from(program.take_link(id)?).pin(pin(switch, PROGRAM_WATCH))?;
    Ok(())
}

/// What a switch notices.
pub fn of(switch: &Path) -> Watch {
    if pin(switch, PROGRAM_WATCH).exists() {
        Watch::Full
    } else if pin(switch, PROGRAM_WATCH_DOWN).exists() {
        Watch::Down
    } else {
        Watch::Off
    }
}

fn program<'a>(object: &'a mut Ebpf, name: &'static str) -> Result<&'a mut Program, DatapathError> {
    object.program_mut(name).ok_or_else(|| DatapathError::Bpf {
        what: "loading the BPF object",
        cause: format!("it has no program `{name}`"),
    })
}

fn pin(switch: &Path, program: &str) -> PathBuf {
    switch.join("links").join(program)
}

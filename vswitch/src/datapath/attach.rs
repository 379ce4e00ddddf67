//! A port's device and the program: attach, find, detach.
//!
//! On Linux 6.6 and later by a tcx link, pinned, so that it outlives us. Before, by a clsact filter, which belongs to
//! the device and so outlives us as well.

use std::{env, fmt, fs, io, path::Path};

use aya::{
    programs::{
        LinkOrder, SchedClassifier, TcAttachType,
        links::{FdLink, PinnedLink},
        tc::{self, NlOptions, TcAttachOptions, TcError},
    },
    util::KernelVersion,
};
use vswitch_common::{map::PROGRAM_TC, port::Slot};

use super::DatapathError;

/// The way in which a program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// A pinned tcx link.
    Tcx,
    /// A clsact filter in direct-action mode.
    Clsact,
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcx => "tcx",
            Self::Clsact => "clsact",
        })
    }
}

/// The best way that this kernel has. `VSWITCH_ATTACH=clsact` asks for the old one, for comparisons.
pub fn preferred() -> Mode {
    let asked = env::var("VSWITCH_ATTACH").is_ok_and(|value| value == "clsact");
    if asked || KernelVersion::current().is_ok_and(|running| running < KernelVersion::new(6, 6, 0)) {
        Mode::Clsact
    } else {
        Mode::Tcx
    }
}

/// Attaches the switch's program to a device's ingress, after foreign programs that are there already.
pub fn attach(switch: &Path, slot: Slot, ifname: &str) -> Result<Mode, DatapathError> {
    let mut program = SchedClassifier::from_pin(switch.join("progs").join(PROGRAM_TC))?;
    let mode = preferred();
    match mode {
        Mode::Tcx => {
            let order = TcAttachOptions::TcxOrder(LinkOrder::default());
            let id = program.attach_with_options(ifname, TcAttachType::Ingress, order)?;
            let link: FdLink = program.take_link(id)?.try_into()?;
            link.pin(pin(switch, slot))?;
        }
        Mode::Clsact => {
            match tc::qdisc_add_clsact(ifname) {
                Err(TcError::AlreadyAttached) | Ok(()) => {}
                Err(TcError::NetlinkError(error)) if error.raw_os_error() == Some(libc::EEXIST) => {}
                Err(error) => return Err(DatapathError::bpf("adding a clsact qdisc", &error)),
            }
            let options = TcAttachOptions::Netlink(NlOptions::default());
            let id = program.attach_with_options(ifname, TcAttachType::Ingress, options)?;
            // The filter is the device's, not ours: it must not go when this process does.
            std::mem::forget(program.take_link(id)?);
        }
    }
    Ok(mode)
}

/// How a port is attached, if it is. A link whose device is gone is still pinned, so callers look at the device first.
pub fn mode(switch: &Path, slot: Slot) -> Mode {
    if pin(switch, slot).exists() { Mode::Tcx } else { Mode::Clsact }
}

/// Detaches a port; it is no error if its device, or the link, is gone already.
pub fn detach(switch: &Path, slot: Slot, ifname: Option<&str>) -> Result<(), DatapathError> {
    let path = pin(switch, slot);
    if path.exists() {
        match PinnedLink::from_pin(&path) {
            Ok(link) => {
                drop(link.unpin().map_err(|e| DatapathError::state("remove", &path, e))?);
            }
            Err(_) => fs::remove_file(&path).map_err(|e| DatapathError::state("remove", &path, e))?,
        }
        return Ok(());
    }
    let Some(ifname) = ifname else { return Ok(()) };
    match tc::qdisc_detach_program(ifname, TcAttachType::Ingress, PROGRAM_TC) {
        Err(TcError::IoError(error)) if error.kind() != io::ErrorKind::NotFound => {
            Err(DatapathError::bpf("removing the clsact filter", &error))
        }
        _ => Ok(()),
    }
}

fn pin(switch: &Path, slot: Slot) -> std::path::PathBuf {
    switch.join("links").join(format!("port{slot}"))
}

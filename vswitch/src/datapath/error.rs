//! What can go wrong between us and the kernel's BPF.

use std::{io, path::PathBuf};

use aya::{
    EbpfError,
    maps::MapError,
    pin::PinError,
    programs::{ProgramError, links::LinkError},
};
use thiserror::Error;
use vswitch_common::map::NEIGHS_SIZE;

/// How many of the verifier's last lines are shown: the first ones say nothing.
const VERIFIER_LINES: usize = 6;

/// A refusal by the kernel or a state directory that cannot be used.
#[derive(Debug, Error)]
pub enum DatapathError {
    /// The mount point is not a bpffs.
    #[error(
        "no bpffs is mounted at `{0}`; mount it with `mount -t bpf bpf {0}` or name another one in VSWITCH_BPFFS"
    )]
    NoBpffs(PathBuf),
    /// The state directory could be somebody else's trap.
    #[error("state directory `{path}` {cause}; remove it, since whoever made it could steer the switch")]
    Untrusted {
        /// The directory.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A directory or file of the state cannot be used.
    #[error("cannot {what} `{path}`: {source}")]
    State {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// No such switch.
    #[error("there is no switch `{name}`; {remedy}")]
    NoSwitch {
        /// The name.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// The name is taken.
    #[error("switch `{0}` already exists; choose another name or remove it with `vswitch switch del {0}`")]
    SwitchExists(String),
    /// The caller may not.
    #[error(
        "{what} is not permitted; it needs the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_SYS_ADMIN (run it as root)"
    )]
    Privilege {
        /// What was tried.
        what: &'static str,
    },
    /// The kernel lacks something without which there is no switch.
    #[error("this kernel is Linux {running}, but {feature} needs Linux {needed}; boot a newer one")]
    Kernel {
        /// What is missing.
        feature: &'static str,
        /// The version that has it.
        needed: String,
        /// The version that runs.
        running: String,
    },
    /// The verifier did not like the program.
    #[error("the kernel refuses program `{program}`: {verdict}; vswitch needs Linux 6.1 or later")]
    Refused {
        /// Name of the program.
        program: &'static str,
        /// The verifier's last words.
        verdict: String,
    },
    /// Anything else that BPF says no to.
    #[error("{what} failed: {cause}")]
    Bpf {
        /// What was tried.
        what: &'static str,
        /// Why it failed.
        cause: String,
    },
    /// A switch whose maps are not what this build expects.
    #[error("switch `{name}` has no usable `{map}` map: {cause}; remove it with `vswitch switch del {name}`")]
    Layout {
        /// Name of the switch.
        name: String,
        /// Name of the map.
        map: &'static str,
        /// What is wrong with it.
        cause: String,
    },
    /// The port tables are full.
    #[error("switch `{name}` has no free port slot of its {slots}; make it with a larger `port-slots`")]
    PortsFull {
        /// Name of the switch.
        name: String,
        /// Its slots.
        slots: u32,
    },
    /// The FDB is full.
    #[error("the FDB is full; remove addresses or make the switch with a larger `fdb-size`")]
    FdbFull,
    /// The table of neighbours is.
    #[error(
        "the switch has room for {NEIGHS_SIZE} neighbours, all taken; remove some with `vswitch neigh flush`"
    )]
    NeighsFull,
    /// The VLAN translations are.
    #[error("the switch has room for 2048 VLAN translations, all taken; remove some with `vlan-map=none`")]
    VlanMapFull,
}

impl DatapathError {
    /// A failed step on a path, with the missing privilege named if that is the cause.
    pub(crate) fn state(what: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        if source.kind() == io::ErrorKind::PermissionDenied {
            Self::Privilege { what: "using the state directory in bpffs" }
        } else {
            Self::State { what, path: path.into(), source }
        }
    }

    /// Any error of aya's, its causes in one line.
    pub(super) fn bpf(what: &'static str, error: &(dyn std::error::Error + 'static)) -> Self {
        if io_error(error).is_some_and(|cause| cause.kind() == io::ErrorKind::PermissionDenied) {
            return Self::Privilege { what };
        }
        Self::Bpf { what, cause: causes(error) }
    }

    /// A program that did not load.
    pub(super) fn load(program: &'static str, error: &ProgramError) -> Self {
        if let ProgramError::LoadError { io_error, verifier_log } = error {
            if io_error.kind() == io::ErrorKind::PermissionDenied
                && verifier_log.to_string().trim().is_empty()
            {
                return Self::Privilege { what: "loading BPF programs" };
            }
            let log = verifier_log.to_string();
            let lines: Vec<&str> = log.lines().filter(|line| !line.trim().is_empty()).collect();
            let last = &lines[lines.len().saturating_sub(VERIFIER_LINES)..];
            return Self::Refused { program, verdict: format!("{io_error}: {}", last.join(" | ")) };
        }
        Self::bpf("loading the BPF program", error)
    }
}

macro_rules! from_aya {
    ($($error:ty: $what:literal,)*) => {
        $(impl From<$error> for DatapathError {
            fn from(error: $error) -> Self {
                Self::bpf($what, &error)
            }
        })*
    };
}

from_aya! {
    EbpfError: "loading the BPF object",
    MapError: "access to a BPF map",
    PinError: "pinning BPF state",
    ProgramError: "use of the BPF program",
    LinkError: "use of a BPF link",
}

fn io_error<'a>(error: &'a (dyn std::error::Error + 'static)) -> Option<&'a io::Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<io::Error>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn causes(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        next = cause.source();
    }
    text
}

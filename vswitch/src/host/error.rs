//! What can go wrong with links and namespaces.

use std::{io, path::PathBuf};

use ipnet::IpNet;
use nix::errno::Errno;
use thiserror::Error;
use vswitch_common::addr::MacAddr;

/// Why the kernel did not do what was asked, or why it was not asked.
#[derive(Debug, Error)]
pub enum HostError {
    /// No interface of this name.
    #[error(
        "there is no interface `{name}` in this namespace; `vswitch link list --all-netns` shows those that are"
    )]
    NoSuchLink {
        /// The name.
        name: String,
    },
    /// The interface went away between two steps.
    #[error("the interface with index {index} no longer exists; something else deleted or moved it")]
    LinkGone {
        /// The interface index.
        index: u32,
    },
    /// The name is taken.
    #[error(
        "an interface `{name}` already exists there; choose another name, or delete it with `vswitch link del {name}`"
    )]
    LinkExists {
        /// The name.
        name: String,
    },
    /// No namespace of this name.
    #[error("there is no namespace `{name}`; make it with `vswitch ns add {name}`")]
    NoSuchNamespace {
        /// The name.
        name: String,
    },
    /// The name is taken.
    #[error(
        "namespace `{name}` already exists; choose another name, or delete it with `vswitch ns del {name}`"
    )]
    NamespaceExists {
        /// The name.
        name: String,
    },
    /// A file, but not a namespace: somebody was interrupted while making one.
    #[error("`{}` is no network namespace; if it is a left-over, remove the file", path.display())]
    NotANamespace {
        /// The file.
        path: PathBuf,
    },
    /// No process of this number.
    #[error("there is no process {pid}; it may have ended")]
    NoSuchProcess {
        /// The process identifier.
        pid: u32,
    },
    /// Not allowed.
    #[error("not allowed to {doing}; it takes {capability}, so run it as root")]
    NoPrivilege {
        /// What was attempted.
        doing: String,
        /// The capability that was missing.
        capability: &'static str,
    },
    /// The device does not do this MTU.
    #[error("MTU {mtu} is out of range for `{name}`; use {min} to {max}")]
    MtuOutOfRange {
        /// The interface.
        name: String,
        /// The MTU that was asked for, in bytes of layer 3.
        mtu: u32,
        /// The least that the device does.
        min: u32,
        /// The most that the device does.
        max: u32,
    },
    /// A group or zero address.
    #[error(
        "`{mac}` cannot be an interface's address, because it is {what}; an example of a good one is `02:00:00:00:00:01`"
    )]
    NotStation {
        /// The address.
        mac: MacAddr,
        /// What it is instead.
        what: &'static str,
    },
    /// The address is there already.
    #[error("{name} already has the address `{ip}`; give another one, or leave it out")]
    AddressExists {
        /// The address.
        ip: IpNet,
        /// The interface, in backticks.
        name: String,
    },
    /// The address is not there.
    #[error(
        "`{name}` has no address `{ip}`; write it with its prefix length, as `vswitch link show {name}` does"
    )]
    NoSuchAddress {
        /// The address.
        ip: IpNet,
        /// The interface, in backticks.
        name: String,
    },
    /// The kernel was built without this kind of device.
    #[error("this kernel has no {kind} devices; it takes a kernel with {config}, or its module loaded")]
    NoSuchKind {
        /// The kind, as in `ip link add type KIND`.
        kind: &'static str,
        /// The kernel's configuration symbol.
        config: &'static str,
    },
    /// The device is in use in a way that forbids this.
    #[error(
        "cannot {doing}, because the interface is busy ({reason}); take it down or out of its bridge first"
    )]
    Busy {
        /// What was attempted.
        doing: String,
        /// What the kernel said.
        reason: String,
    },
    /// The kernel refused for a reason that has no words of its own here.
    #[error("cannot {doing}: {reason}")]
    Refused {
        /// What was attempted.
        doing: String,
        /// The error number.
        errno: Errno,
        /// What the kernel said.
        reason: String,
    },
    /// A file or socket of the system could not be used.
    #[error("cannot {doing}")]
    System {
        /// What was attempted.
        doing: String,
        /// Why not.
        source: io::Error,
    },
    /// A step failed, and so did the way back.
    #[error("{failure}; undoing it failed too, for: {undo}")]
    NotUndone {
        /// The first failure.
        failure: Box<HostError>,
        /// Why the old state could not be restored.
        undo: String,
    },
}

impl HostError {
    /// From an error number of a system call, with the capability that it takes.
    pub(super) fn system(doing: impl Into<String>, errno: Errno, capability: &'static str) -> Self {
        let doing = doing.into();
        match errno {
            Errno::EPERM | Errno::EACCES => Self::NoPrivilege { doing, capability },
            errno => Self::System { doing, source: errno.into() },
        }
    }

    /// Refuses an address that no interface may have.
    pub(super) fn check_station(mac: MacAddr) -> Result<(), Self> {
        let what = if mac.is_zero() {
            "zero"
        } else if mac.is_group() {
            "a group address"
        } else {
            return Ok(());
        };
        Err(Self::NotStation { mac, what })
    }

    /// Whether the thing that was named did not exist (any more).
    pub fn is_absent(&self) -> bool {
        matches!(self, Self::NoSuchLink { .. } | Self::LinkGone { .. } | Self::NoSuchNamespace { .. })
    }
}

/// A kernel's negative answer to a netlink request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    /// The error number.
    pub(super) errno: Errno,
    /// The kernel's own words, if it gave any (extended acknowledgement).
    pub(super) said: Option<String>,
}

impl Refusal {
    /// The kernel's words, else those of the error number.
    pub(super) fn reason(&self) -> String {
        match &self.said {
            Some(said) => {
                let said = said.trim_end_matches('.');
                let mut letters = said.chars();
                let first = letters.next().map(|letter| letter.to_ascii_lowercase());
                // `MTU ...` stays as it is, `Invalid ...` becomes lower-case.
                if letters.as_str().starts_with(|next: char| next.is_ascii_uppercase()) {
                    said.to_owned()
                } else {
                    first.into_iter().chain(letters).collect()
                }
            }
            None => self.errno.desc().to_lowercase(),
        }
    }

    /// What it means when nothing more special is known.
    pub(super) fn error(&self, doing: impl Into<String>) -> HostError {
        let doing = doing.into();
        match self.errno {
            Errno::EPERM => HostError::NoPrivilege { doing, capability: "CAP_NET_ADMIN" },
            Errno::EBUSY => HostError::Busy { doing, reason: self.reason() },
            errno => HostError::Refused { doing, errno, reason: self.reason() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_become_part_of_a_sentence() {
        let refusal = |said: &str| Refusal { errno: Errno::EINVAL, said: Some(said.to_owned()) };
        assert_eq!(
            refusal("Invalid prefix for given prefix length.").reason(),
            "invalid prefix for given prefix length"
        );
        assert_eq!(refusal("MTU too big").reason(), "MTU too big");
        assert_eq!(Refusal { errno: Errno::EBUSY, said: None }.reason(), "device or resource busy");
    }

    #[test]
    fn missing_privilege_names_the_capability() {
        let error = Refusal { errno: Errno::EPERM, said: None }.error("delete interface `a`");
        assert_eq!(
            error.to_string(),
            "not allowed to delete interface `a`; it takes CAP_NET_ADMIN, so run it as root"
        );
    }

    #[test]
    fn only_station_addresses_pass() {
        assert!(HostError::check_station(MacAddr::new([2, 0, 0, 0, 0, 1])).is_ok());
        for mac in [MacAddr::ZERO, MacAddr::BROADCAST, MacAddr::new([1, 0, 0x5e, 0, 0, 1])] {
            assert!(HostError::check_station(mac).is_err(), "{mac}");
        }
    }
}

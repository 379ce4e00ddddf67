//! Tun and tap devices that stay when no process has them open.

use std::{
    fs::{File, OpenOptions},
    io,
    os::fd::AsRawFd,
};

use nix::errno::Errno;

use super::HostError;
use crate::name::IfName;

/// What a tap is to be like.
#[derive(Clone, Copy, Debug)]
pub struct TapSpec<'a> {
    /// Its name.
    pub name: &'a IfName,
    /// A tun: IP packets rather than Ethernet frames.
    pub tun: bool,
    /// User that may open it without `CAP_NET_ADMIN`.
    pub owner: Option<u32>,
    /// Group that may open it without `CAP_NET_ADMIN`.
    pub group: Option<u32>,
    /// Every frame begins with a `virtio_net_hdr`, so that offloads pass.
    pub vnet_header: bool,
    /// Several processes or threads may each open a queue.
    pub multi_queue: bool,
}

mod ioctl {
    nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);
    nix::ioctl_write_int_bad!(set_persistent, libc::TUNSETPERSIST);
    nix::ioctl_write_int_bad!(set_owner, libc::TUNSETOWNER);
    nix::ioctl_write_int_bad!(set_group, libc::TUNSETGROUP);
}

/// Refuses to attach to a device that exists (`IFF_TUN_EXCL`, Linux 2.6.30).
const IFF_TUN_EXCL: u16 = 0x8000;
/// The other flags of `if_tun.h`, as the 16 bits that the request has room for.
const IFF_TUN: u16 = 0x0001;
const IFF_TAP: u16 = 0x0002;
const IFF_MULTI_QUEUE: u16 = 0x0100;
const IFF_NO_PI: u16 = 0x1000;
const IFF_VNET_HDR: u16 = 0x4000;

/// Makes a tun or tap in the calling thread's namespace that stays until it is deleted.
///
/// # Errors
/// [`HostError::LinkExists`] if the name is taken; nothing is left on any failure.
pub fn create_persistent_tap(spec: &TapSpec<'_>) -> Result<(), HostError> {
    let TapSpec { name, tun, owner, group, vnet_header, multi_queue } = *spec;
    let kind = if tun { "tun" } else { "tap" };
    let doing = || format!("make {kind} `{name}`");
    let file = open()?;
    let mut flags = IFF_NO_PI | IFF_TUN_EXCL | if tun { IFF_TUN } else { IFF_TAP };
    if vnet_header {
        flags |= IFF_VNET_HDR;
    }
    if multi_queue {
        flags |= IFF_MULTI_QUEUE;
    }
    let request = request(name, flags);
    // SAFETY: `request` is a complete `ifreq` that outlives the call.
    unsafe { ioctl::set_interface(file.as_raw_fd(), &raw const request) }.map_err(|errno| match errno {
        Errno::EBUSY | Errno::EEXIST | Errno::EINVAL if exists(name) => {
            HostError::LinkExists { name: name.to_string() }
        }
        errno => HostError::system(doing(), errno, "CAP_NET_ADMIN"),
    })?;
    // Until it is made persistent it goes away with `file`, so a failure leaves nothing.
    let set = |result: nix::Result<libc::c_int>| {
        result.map(drop).map_err(|errno| HostError::system(doing(), errno, "CAP_NET_ADMIN"))
    };
    if let Some(owner) = owner {
        // SAFETY: the request takes a plain number.
        set(unsafe { ioctl::set_owner(file.as_raw_fd(), owner.cast_signed()) })?;
    }
    if let Some(group) = group {
        // SAFETY: the request takes a plain number.
        set(unsafe { ioctl::set_group(file.as_raw_fd(), group.cast_signed()) })?;
    }
    // SAFETY: the request takes a plain number.
    set(unsafe { ioctl::set_persistent(file.as_raw_fd(), 1) })
}

fn open() -> Result<File, HostError> {
    let path = "/dev/net/tun";
    OpenOptions::new().read(true).write(true).open(path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => HostError::NoSuchKind { kind: "tun and tap", config: "CONFIG_TUN" },
        io::ErrorKind::PermissionDenied => {
            HostError::NoPrivilege { doing: format!("open `{path}`"), capability: "CAP_NET_ADMIN" }
        }
        _ if source.raw_os_error() == Some(libc::ENODEV) => {
            HostError::NoSuchKind { kind: "tun and tap", config: "CONFIG_TUN" }
        }
        _ => HostError::System { doing: format!("open `{path}`"), source },
    })
}

fn exists(name: &IfName) -> bool {
    nix::net::if_::if_nametoindex(name.as_str()).is_ok()
}

/// An `ifreq` with a name and the device flags.
fn request(name: &IfName, flags: u16) -> libc::ifreq {
    let mut request = super::gro::named_request(name.as_str());
    request.ifr_ifru.ifru_flags = flags.cast_signed();
    request
}

//! Flags of network interfaces in the namespace of the calling thread.

use std::io;

use anyhow::{Context, Result, bail};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::AsRawFd;

/// An `ifreq` with the name filled in.
fn request(ifname: &str) -> Result<libc::ifreq> {
    // SAFETY: an ifreq is plain data, for which all zeroes is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if ifname.len() >= request.ifr_name.len() {
        bail!("interface name `{ifname}` is too long");
    }
    for (to, from) in request.ifr_name.iter_mut().zip(ifname.bytes()) {
        *to = libc::c_char::from_ne_bytes([from]);
    }
    Ok(request)
}

/// Sets and clears `IFF_*` flags of an interface.
///
/// # Errors
/// When the interface does not exist or the kernel refuses the change.
pub fn change_flags(ifname: &str, set: libc::c_int, clear: libc::c_int) -> Result<()> {
    let control = socket(
        AddressFamily::Inet,
        SockType::Datagram,
        SockFlag::SOCK_CLOEXEC,
        None,
    )?;
    let mut request = request(ifname)?;
    // SAFETY: SIOCGIFFLAGS reads the name of the ifreq that it is given and writes its flags.
    let code = unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCGIFFLAGS, &raw mut request) };
    if code < 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("read the flags of `{ifname}`"));
    }
    // SAFETY: the call above wrote this member of the union.
    let flags = libc::c_int::from(unsafe { request.ifr_ifru.ifru_flags });
    request.ifr_ifru.ifru_flags = libc::c_short::try_from((flags & 0xffff | set) & !clear)
        .or_else(|_| u16::try_from((flags & 0xffff | set) & !clear).map(u16::cast_signed))?;
    // SAFETY: SIOCSIFFLAGS reads the name and the flags of the ifreq that it is given.
    let code = unsafe { libc::ioctl(control.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request) };
    if code < 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("set the flags of `{ifname}`"));
    }
    Ok(())
}

/// Brings an interface up.
///
/// # Errors
/// As [`change_flags`].
pub fn up(ifname: &str) -> Result<()> {
    change_flags(ifname, libc::IFF_UP, 0)
}

//! Flags of network interfaces in the namespace of the calling thread.

use std::{
    fs::{self, File},
    io,
};

use anyhow::{Context, Result, bail};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};
use std::os::fd::AsRawFd;

/// An `ifreq` with the name filled in.
pub(crate) fn request(ifname: &str) -> Result<libc::ifreq> {
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
    let control = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
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

/// Opens an existing tap as a virtual machine does: it has its carrier as long as the file is open.
///
/// # Errors
/// When there is no such tap, or it is open already.
pub fn open_tap(ifname: &str) -> Result<File> {
    let tap = File::options().read(true).write(true).open("/dev/net/tun")?;
    let mut request = request(ifname)?;
    request.ifr_ifru.ifru_flags = libc::c_short::try_from(libc::IFF_TAP | libc::IFF_NO_PI)?;
    // SAFETY: TUNSETIFF reads the name and the flags of the ifreq that it is given.
    let code = unsafe { libc::ioctl(tap.as_raw_fd(), libc::TUNSETIFF, &raw const request) };
    if code < 0 {
        return Err(io::Error::last_os_error()).with_context(|| format!("open tap `{ifname}`"));
    }
    Ok(tap)
}

/// Brings an interface up.
///
/// # Errors
/// As [`change_flags`].
pub fn up(ifname: &str) -> Result<()> {
    change_flags(ifname, libc::IFF_UP, 0)
}

/// Switches IPv6 off for every interface that the calling thread's namespace has and will have.
pub fn no_ipv6() {
    for which in ["all", "default"] {
        let path = format!("/proc/sys/net/ipv6/conf/{which}/disable_ipv6");
        // A kernel without IPv6 is quiet already.
        if fs::exists(&path).unwrap_or(false) {
            fs::write(&path, "1").expect("switch IPv6 off");
        }
    }
}

/// What ethtool(8) calls `tx off rx off tso off gso off gro off`: the commands, in an order that the kernel accepts.
const OFFLOADS_OFF: [u32; 5] = [
    0x0000_001f, // ETHTOOL_STSO
    0x0000_0024, // ETHTOOL_SGSO
    0x0000_002c, // ETHTOOL_SGRO
    0x0000_0017, // ETHTOOL_STXCSUM
    0x0000_0015, // ETHTOOL_SRXCSUM
];

/// Switches all offloads of an interface off, so that each packet is on the wire as it would be on a cable.
///
/// # Errors
/// When the interface does not exist or its driver refuses.
pub fn offloads_off(ifname: &str) -> Result<()> {
    const SIOCETHTOOL: libc::Ioctl = 0x8946;
    let control = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    for command in OFFLOADS_OFF {
        // struct ethtool_value: the command and what to set.
        let mut value = [command, 0_u32];
        let mut request = request(ifname)?;
        request.ifr_ifru.ifru_data = value.as_mut_ptr().cast();
        // SAFETY: the request points to an ethtool_value, which is alive and as long as these commands expect.
        let code = unsafe { libc::ioctl(control.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
        if code < 0 {
            return Err(io::Error::last_os_error())
                .with_context(|| format!("ethtool {command:#x} on `{ifname}`"));
        }
    }
    Ok(())
}

/// How many frames left by a device, by the kernel's own count.
///
/// # Panics
/// When there is no such device.
pub fn sent_by_kernel(ifname: &str) -> u64 {
    let path = format!("/sys/class/net/{ifname}/statistics/tx_packets");
    fs::read_to_string(path).expect("statistics").trim().parse().expect("a number")
}

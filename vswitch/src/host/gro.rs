//! Generic receive offload, switched through the ethtool ioctl.

use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;

/// `ETHTOOL_SGRO` in the kernel's `ethtool.h`.
const ETHTOOL_SGRO: u32 = 0x2c;
/// `SIOCETHTOOL` in the kernel's `sockios.h`.
const SIOCETHTOOL: libc::Ioctl = 0x8946;

/// `struct ethtool_value`.
#[repr(C)]
struct EthtoolValue {
    command: u32,
    data: u32,
}

/// Switches GRO of a device in the namespace of `socket`. For a veth (Linux 5.13) this is also what lets it receive
/// by NAPI.
pub(super) fn set_gro(socket: &OwnedFd, name: &str, on: bool) -> nix::Result<()> {
    let mut value = EthtoolValue { command: ETHTOOL_SGRO, data: u32::from(on) };
    let mut request = named_request(name);
    request.ifr_ifru.ifru_data = (&raw mut value).cast();
    // SAFETY: `request` and the `value` that it points to outlive the call; this command reads no further.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCETHTOOL, &raw mut request) };
    Errno::result(result).map(drop)
}

/// An `ifreq` that holds a name and is zero otherwise. A name that is too long is cut, which names no device.
pub(super) fn named_request(name: &str) -> libc::ifreq {
    // SAFETY: `ifreq` is plain old data, for which all zeroes is a value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    let room = request.ifr_name.len() - 1;
    for (to, from) in request.ifr_name[..room].iter_mut().zip(name.bytes()) {
        *to = from.cast_signed();
    }
    request
}

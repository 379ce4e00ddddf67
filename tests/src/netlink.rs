//! Options of the Linux bridge that the installed iproute2 may be too old for, set by rtnetlink(7) itself.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use nix::net::if_::if_nametoindex;

const IFLA_PROTINFO: u16 = 12;
const IFLA_LINKINFO: u16 = 18;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const NLA_F_NESTED: u16 = 1 << 15;
/// Length of a `struct nlmsghdr` and of a `struct ifinfomsg`.
const HEADERS: usize = 16 + 16;

/// Options of a port (`IFLA_BRPORT_*`), with the version of Linux that has them first.
pub mod brport {
    /// `proxy_arp`
    pub const PROXYARP: u16 = 10;
    /// `proxy_arp_wifi`
    pub const PROXYARP_WIFI: u16 = 12;
    /// `group_fwd_mask`, a number of 16 bits
    pub const GROUP_FWD_MASK: u16 = 31;
    /// `locked`
    pub const LOCKED: u16 = 39;
    /// `mab` (Linux 6.2)
    pub const MAB: u16 = 40;
    /// `neigh_vlan_suppress` (Linux 6.4)
    pub const NEIGH_VLAN_SUPPRESS: u16 = 43;
}

/// Options of a bridge (`IFLA_BR_*`).
pub mod br {
    /// `fdb_max_learned` (Linux 6.7)
    pub const FDB_MAX_LEARNED: u16 = 49;
}

/// Options by the words of iproute2, of ports and of bridges. The first three are known to `ip link set type bridge_slave`,
/// by which a disabled port comes to forward again.
const OPTIONS: [(&str, u16); 6] = [
    ("proxy_arp", brport::PROXYARP),
    ("proxy_arp_wifi", brport::PROXYARP_WIFI),
    ("group_fwd_mask", brport::GROUP_FWD_MASK),
    ("mab", brport::MAB),
    ("neigh_vlan_suppress", brport::NEIGH_VLAN_SUPPRESS),
    ("fdb_max_learned", br::FDB_MAX_LEARNED),
];

/// Sets an option as a newer iproute2 would: `bridge link set dev PORT mab on` or
/// `ip link set BRIDGE type bridge fdb_max_learned 7`, of which the arguments are (device, option, value).
///
/// # Errors
/// What the kernel says.
///
/// # Panics
/// When there is no such option here.
pub fn attempt(arguments: &[&str]) -> Result<(), String> {
    let [device, option, value] = arguments else { panic!("{arguments:?} are not device, option, value") };
    let found = OPTIONS.iter().find(|(name, _)| name == option);
    let (_, number) = *found.unwrap_or_else(|| panic!("no option `{option}`; add it to `netlink::OPTIONS`"));
    let done = match *value {
        "on" => set_port(device, number, &[1]),
        "off" => set_port(device, number, &[0]),
        mask if number == brport::GROUP_FWD_MASK => {
            let mask = mask.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
            set_port(device, number, &mask.expect("a mask such as 0x4000").to_ne_bytes())
        }
        value => set_bridge(device, number, value.parse().expect("a number")),
    };
    done.map_err(|error| error.to_string())
}

/// Sets an option of a bridge port, as `bridge link set dev PORT OPTION VALUE`.
///
/// # Errors
/// When the kernel refuses it.
pub fn set_port(port: &str, option: u16, value: &[u8]) -> io::Result<()> {
    let family = u8::try_from(libc::AF_BRIDGE).unwrap_or(0);
    let options = attribute(option, value);
    set_link(port, family, libc::RTM_SETLINK, &attribute(IFLA_PROTINFO | NLA_F_NESTED, &options))
}

/// Sets an option of a bridge, as `ip link set dev BRIDGE type bridge OPTION VALUE`.
///
/// # Errors
/// When the kernel refuses it.
pub fn set_bridge(bridge: &str, option: u16, value: u32) -> io::Result<()> {
    let options = attribute(option, &value.to_ne_bytes());
    let info =
        [attribute(IFLA_INFO_KIND, b"bridge"), attribute(IFLA_INFO_DATA | NLA_F_NESTED, &options)].concat();
    set_link(bridge, 0, libc::RTM_NEWLINK, &attribute(IFLA_LINKINFO | NLA_F_NESTED, &info))
}

/// An attribute, padded.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + value.len()).expect("a short attribute");
    let mut bytes = [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn set_link(name: &str, family: u8, kind: u16, attributes: &[u8]) -> io::Result<()> {
    let index = if_nametoindex(name)?;
    let length = u32::try_from(HEADERS + attributes.len()).expect("a short message");
    let flags = u16::try_from(libc::NLM_F_REQUEST | libc::NLM_F_ACK).unwrap_or(0);
    let mut message = length.to_ne_bytes().to_vec();
    message.extend(kind.to_ne_bytes());
    message.extend(flags.to_ne_bytes());
    // Sequence number and port, then family, padding and type of the device.
    message.extend([0; 8]);
    message.extend([family, 0, 0, 0]);
    message.extend(index.to_ne_bytes());
    // Flags, and which of them change.
    message.extend([0; 8]);
    message.extend(attributes);
    // SAFETY: socket(2) has no preconditions.
    let socket =
        unsafe { libc::socket(libc::AF_NETLINK, libc::SOCK_RAW | libc::SOCK_CLOEXEC, libc::NETLINK_ROUTE) };
    if socket < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made and nobody else has it.
    let socket = unsafe { OwnedFd::from_raw_fd(socket) };
    // SAFETY: the message is readable for its length. A netlink socket without an address sends to the kernel.
    let sent = unsafe { libc::send(socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    let mut answer = [0_u8; 1024];
    // SAFETY: the buffer is writable for its length.
    let got = unsafe { libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0) };
    if sent < 0 || got < 20 {
        return Err(io::Error::last_os_error());
    }
    // An NLMSG_ERROR: the number of the error, or 0, is the first word behind the header.
    match i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]) {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(-error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        iproute::{bridge_json, ip},
        require::kernel_has,
        sandbox::Sandbox,
    };

    #[test]
    fn the_kernel_does_as_it_is_told() {
        let _sandbox = Sandbox::enter().expect("sandbox, as root");
        ip(&["link", "add", "br0", "type", "bridge"]);
        ip(&["link", "add", "leg", "master", "br0", "type", "veth", "peer", "name", "far"]);
        set_port("leg", brport::LOCKED, &[1]).expect("locked");
        let seen = bridge_json(&["-d", "link", "show", "dev", "leg"]);
        assert_eq!(seen[0]["locked"], true, "{seen:?}");
        if kernel_has("`mab`", 6, 2) {
            set_port("leg", brport::MAB, &[1]).expect("mab");
            assert!(set_port("leg", brport::LOCKED, &[0]).is_err(), "`mab` needs `locked`");
        }
        if kernel_has("`fdb_max_learned`", 6, 7) {
            set_bridge("br0", br::FDB_MAX_LEARNED, 7).expect("fdb_max_learned");
        }
        assert!(set_port("far", brport::LOCKED, &[1]).is_err(), "not a port");
    }
}

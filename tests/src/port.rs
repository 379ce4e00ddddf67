//! A raw socket on one interface: what is on the wire there, byte by byte.

use std::{
    cell::RefCell,
    io, mem,
    os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd},
    ptr,
    time::Instant,
};

use anyhow::{Context, Result};
use bytes::Bytes;
use nix::{
    net::if_::if_nametoindex,
    poll::{PollFd, PollFlags, PollTimeout, poll},
};

use crate::sandbox::NetNs;

/// Longer than any frame: a GSO aggregate with BIG TCP may have 192 KiB.
const BUFFER: usize = 256 * 1024;
/// Room for bursts.
const RECEIVE_QUEUE: libc::c_int = 64 << 20;

/// What a frame that the sender wants to be segmented must say about itself (`struct virtio_net_hdr`).
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct Offload {
    /// `VIRTIO_NET_HDR_F_*`: 1 = the checksum is to be completed.
    pub flags: u8,
    /// `VIRTIO_NET_HDR_GSO_*`: 0 = none, 1 = TCP over IPv4.
    pub gso_type: u8,
    /// Length of all headers.
    pub header_length: u16,
    /// Payload of one segment.
    pub gso_size: u16,
    /// Where the checksum starts.
    pub checksum_start: u16,
    /// Where it is stored, from there.
    pub checksum_offset: u16,
}

/// A packet socket that is bound to one interface.
#[derive(Debug)]
pub struct Port {
    socket: OwnedFd,
    buffer: RefCell<Vec<u8>>,
}

impl Port {
    /// Everything that arrives at the interface in that namespace, before any protocol sees it.
    ///
    /// # Errors
    /// When there is no such interface, or without root rights.
    pub fn open(namespace: &NetNs, ifname: &str) -> Result<Self> {
        namespace.run(|| Self::open_here(ifname, libc::ETH_P_ALL, false))?
    }

    /// What the stack of the calling thread's namespace is handed on that interface, of one ethertype: after
    /// bridge and switch had their say.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_stack(ifname: &str, ethertype: u16) -> Result<Self> {
        Self::open_here(ifname, libc::c_int::from(ethertype), false)
    }

    /// Sends frames with an [`Offload`] before each; never used to receive.
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_offload(namespace: &NetNs, ifname: &str) -> Result<Self> {
        namespace.run(|| Self::open_here(ifname, 0, true))?
    }

    fn open_here(ifname: &str, protocol: libc::c_int, offload: bool) -> Result<Self> {
        let index = if_nametoindex(ifname).with_context(|| format!("interface `{ifname}`"))?;
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // Protocol 0: nothing is received before the socket is bound to its interface.
        // SAFETY: socket(2) has no preconditions.
        let socket = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if socket < 0 {
            return Err(io::Error::last_os_error()).context("open a packet socket");
        }
        // SAFETY: the descriptor was just made and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(socket) };
        let port = Self { socket, buffer: RefCell::new(vec![0; BUFFER]) };
        port.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, RECEIVE_QUEUE)?;
        port.set(libc::SOL_PACKET, libc::PACKET_AUXDATA, 1)?;
        if offload {
            port.set(libc::SOL_PACKET, libc::PACKET_VNET_HDR, 1)?;
        }
        // SAFETY: a sockaddr_ll is plain data, for which all zeroes is a valid value.
        let mut address: libc::sockaddr_ll = unsafe { mem::zeroed() };
        address.sll_family = u16::try_from(libc::AF_PACKET)?;
        address.sll_protocol = u16::try_from(protocol)?.to_be();
        address.sll_ifindex = index.cast_signed();
        let length = libc::socklen_t::try_from(size_of_val(&address))?;
        // SAFETY: the address is initialised and its length is given.
        let code = unsafe { libc::bind(port.socket.as_raw_fd(), (&raw const address).cast(), length) };
        if code < 0 {
            return Err(io::Error::last_os_error()).with_context(|| format!("bind to `{ifname}`"));
        }
        Ok(port)
    }

    fn set(&self, level: libc::c_int, option: libc::c_int, value: libc::c_int) -> Result<()> {
        let length = libc::socklen_t::try_from(size_of_val(&value))?;
        // SAFETY: the option's value is an int, whose length is given.
        let code = unsafe {
            libc::setsockopt(self.socket.as_raw_fd(), level, option, (&raw const value).cast(), length)
        };
        if code < 0 {
            return Err(io::Error::last_os_error()).with_context(|| format!("socket option {option}"));
        }
        Ok(())
    }

    /// Sends a frame.
    ///
    /// # Errors
    /// When the kernel refuses it: longer than the interface's MTU, or the interface is down.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        // SAFETY: the buffer is readable for its length.
        let sent = unsafe {
            libc::send(self.socket.as_raw_fd(), frame.as_ptr().cast(), frame.len(), libc::MSG_DONTWAIT)
        };
        if usize::try_from(sent).is_ok_and(|sent| sent == frame.len()) {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }

    /// Sends a frame that the kernel is to segment, or whose checksum it is to complete, on its way out.
    ///
    /// # Errors
    /// As [`Self::send`].
    pub fn send_offload(&self, offload: Offload, frame: &[u8]) -> io::Result<()> {
        let mut bytes = vec![offload.flags, offload.gso_type];
        for field in
            [offload.header_length, offload.gso_size, offload.checksum_start, offload.checksum_offset]
        {
            bytes.extend(field.to_ne_bytes());
        }
        bytes.extend(frame);
        self.send(&bytes)
    }

    /// The next frame that arrived, with its VLAN tag where it was on the wire; `None` if there is none now.
    ///
    /// # Errors
    /// When the kernel reports one, for example that the interface is gone.
    pub fn try_receive(&self) -> io::Result<Option<Bytes>> {
        let mut buffer = self.buffer.borrow_mut();
        loop {
            match self.receive_one(&mut buffer) {
                Ok((_, _, libc::PACKET_OUTGOING)) => {}
                Ok((length, tag, _)) => return Ok(Some(assemble(&buffer[..length], tag))),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }

    /// The next frame, or `None` if none arrives before the deadline.
    ///
    /// # Errors
    /// As [`Self::try_receive`].
    pub fn receive(&self, deadline: Instant) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(frame) = self.try_receive()? {
                return Ok(Some(frame));
            }
            if wait_any(&[self], deadline)? == 0 {
                return Ok(None);
            }
        }
    }

    /// Throws away what arrived so far.
    ///
    /// # Errors
    /// As [`Self::try_receive`].
    pub fn drain(&self) -> io::Result<()> {
        while self.try_receive()?.is_some() {}
        Ok(())
    }

    /// One message: its length, the tag that was taken out of it, and its packet type.
    fn receive_one(&self, buffer: &mut [u8]) -> io::Result<(usize, Option<[u8; 4]>, u8)> {
        // SAFETY: a sockaddr_ll is plain data, for which all zeroes is a valid value.
        let mut from: libc::sockaddr_ll = unsafe { mem::zeroed() };
        let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
        let mut control = [0_u64; 16];
        // SAFETY: a msghdr is plain data, for which all zeroes is a valid value.
        let mut message: libc::msghdr = unsafe { mem::zeroed() };
        message.msg_name = (&raw mut from).cast();
        message.msg_namelen = libc::socklen_t::try_from(size_of_val(&from)).unwrap_or(0);
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = control.as_mut_ptr().cast();
        message.msg_controllen = size_of_val(&control);
        // SAFETY: every pointer in the message is to a live, writable object of the length beside it.
        let length = unsafe { libc::recvmsg(self.socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
        let length = usize::try_from(length).map_err(|_| io::Error::last_os_error())?;
        Ok((length, taken_out(&message), from.sll_pkttype))
    }
}

/// The VLAN tag that the kernel keeps beside the frame, as it was on the wire.
fn taken_out(message: &libc::msghdr) -> Option<[u8; 4]> {
    // SAFETY: the kernel filled in the message and its control buffer is alive.
    let mut header = unsafe { libc::CMSG_FIRSTHDR(message) };
    while !header.is_null() {
        // SAFETY: not null, so it points to a header within the control buffer.
        let current = unsafe { &*header };
        if current.cmsg_level == libc::SOL_PACKET && current.cmsg_type == libc::PACKET_AUXDATA {
            // SAFETY: the data of this kind of message is a tpacket_auxdata, at whatever alignment.
            let data =
                unsafe { ptr::read_unaligned(libc::CMSG_DATA(header).cast::<libc::tpacket_auxdata>()) };
            if data.tp_status & libc::TP_STATUS_VLAN_VALID != 0 {
                let [a, b] = data.tp_vlan_tpid.to_be_bytes();
                let [c, d] = data.tp_vlan_tci.to_be_bytes();
                return Some([a, b, c, d]);
            }
        }
        // SAFETY: both pointers are of the message that the kernel filled in.
        header = unsafe { libc::CMSG_NXTHDR(message, header) };
    }
    None
}

fn assemble(bytes: &[u8], tag: Option<[u8; 4]>) -> Bytes {
    match tag {
        Some(tag) if bytes.len() >= 12 => Bytes::from([&bytes[..12], &tag, &bytes[12..]].concat()),
        Some(_) | None => Bytes::copy_from_slice(bytes),
    }
}

/// Waits until a frame arrives at any of the ports; at how many, or 0 when the deadline has passed.
///
/// # Errors
/// When poll(2) fails.
pub fn wait_any(ports: &[&Port], deadline: Instant) -> io::Result<usize> {
    let left = deadline.saturating_duration_since(Instant::now());
    // Rounded up, so that the last millisecond is not spent spinning.
    let timeout = PollTimeout::try_from(left.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
    let mut waits: Vec<PollFd> = ports
        .iter()
        .map(|port| {
            // SAFETY: the descriptor is borrowed from a port that outlives this function.
            let socket = unsafe { BorrowedFd::borrow_raw(port.socket.as_raw_fd()) };
            PollFd::new(socket, PollFlags::POLLIN)
        })
        .collect();
    match poll(&mut waits, timeout) {
        Ok(count) => Ok(usize::try_from(count).unwrap_or(0)),
        Err(nix::Error::EINTR) => Ok(0),
        Err(error) => Err(error.into()),
    }
}

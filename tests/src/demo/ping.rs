//! Ping through the kernel of the calling thread's namespace: no `ping` command is needed.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::AsRawFd,
    process,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::{
    errno::Errno,
    sys::{
        socket::{
            AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, recv, sendto, setsockopt,
            socket, sockopt::ReceiveTimeout,
        },
        time::TimeVal,
    },
};

use super::packet::{EchoKind, icmp, parse_icmp};

/// Every ping of this process has its own number.
static NUMBER: AtomicU16 = AtomicU16::new(1);

/// Identifier and sequence number of a new ping.
pub fn next_number() -> (u16, u16) {
    let [low, high, ..] = process::id().to_le_bytes();
    (u16::from_le_bytes([low, high]), NUMBER.fetch_add(1, Ordering::Relaxed))
}

/// Pings once; the round trip time, or `None` when no answer comes in time.
///
/// # Errors
/// When the socket cannot be made or used.
pub fn ping(target: Ipv4Addr, patience: Duration) -> Result<Option<Duration>> {
    let socket = socket(AddressFamily::Inet, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::Icmp)
        .context("open an ICMP socket")?;
    let number = next_number();
    let message = icmp(EchoKind::Request, number, b"vswitch");
    let start = Instant::now();
    let address = SockaddrIn::from(SocketAddrV4::new(target, 0));
    match sendto(socket.as_raw_fd(), &message, &address, MsgFlags::empty()) {
        Ok(_) => {}
        Err(Errno::ENETUNREACH | Errno::EHOSTUNREACH | Errno::ENETDOWN) => return Ok(None),
        Err(errno) => return Err(io::Error::from(errno)).with_context(|| format!("ping {target}")),
    }
    let mut buffer = [0; 2048];
    loop {
        let left = patience.saturating_sub(start.elapsed());
        if left.is_zero() {
            return Ok(None);
        }
        setsockopt(&socket, ReceiveTimeout, &timeval(left))?;
        match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) if is_answer(&buffer[..length], number, target) => return Ok(Some(start.elapsed())),
            // Somebody else's message, or the end of our patience, which the loop notices.
            Ok(_) | Err(Errno::EAGAIN | Errno::EINTR | Errno::EHOSTUNREACH) => {}
            Err(errno) => return Err(io::Error::from(errno)).with_context(|| format!("ping {target}")),
        }
    }
}

/// A raw socket receives the IPv4 header as well.
fn is_answer(packet: &[u8], number: (u16, u16), target: Ipv4Addr) -> bool {
    let header = packet.first().map_or(0, |byte| usize::from(byte & 15) * 4);
    let from = packet.get(12..16) == Some(&target.octets()[..]);
    let message = packet.get(header..).and_then(parse_icmp);
    from && message.is_some_and(|(kind, got, _)| kind == EchoKind::Reply && got == number)
}

/// At least a microsecond: none means forever.
fn timeval(time: Duration) -> TimeVal {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    TimeVal::new(seconds, i64::from(time.subsec_micros().max(1)))
}

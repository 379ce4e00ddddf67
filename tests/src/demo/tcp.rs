//! The speed of one TCP stream between two namespaces.

use std::{
    ffi::OsString,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream},
    os::fd::{AsFd, AsRawFd},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::{
    sched::{CpuSet, sched_getaffinity, sched_setaffinity},
    sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrIn, connect, getsockopt, setsockopt, socket,
        sockopt::{SendTimeout, TcpCongestion},
    },
    sys::time::TimeVal,
    unistd::Pid,
};

use crate::sandbox::NetNs;

/// Nothing here waits longer than that.
const STALL: Duration = Duration::from_secs(5);
/// The start of a stream is not measured.
const WARM_UP: Duration = Duration::from_millis(200);
const BUFFER: usize = 256 * 1024;
/// Some hosts default to bbr, which paces: it would be measured instead of what is between the namespaces.
const CONGESTION: &str = "cubic";

/// From where to where.
#[derive(Debug)]
pub struct Route {
    /// The sender's namespace.
    pub from: NetNs,
    /// The receiver's namespace.
    pub to: NetNs,
    /// The receiver's address.
    pub address: Ipv4Addr,
}

/// One measurement.
#[derive(Clone, Debug, PartialEq)]
pub struct Speed {
    /// Payload, in gigabits per second.
    pub gigabits: f64,
    /// The congestion control that the sender really had.
    pub congestion: String,
}

impl Route {
    /// Sends for some time, everything on one CPU, and measures what arrives.
    ///
    /// # Errors
    /// When the connection fails or stalls.
    pub fn measure(&self, time: Duration) -> Result<Speed> {
        let listener = self.to.run(|| listen(self.address))??;
        let SocketAddr::V4(address) = listener.local_addr()? else {
            bail!("the listener has no IPv4 address")
        };
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            let sender = scope.spawn(|| self.from.run(|| send(address, &done))?);
            let received = self.to.run(|| receive(&listener, time));
            done.store(true, Ordering::Relaxed);
            // With the listener gone, a sender that still connects fails at once.
            drop(listener);
            let sent = sender.join().map_err(|_| anyhow!("the sender panicked"))?;
            let gigabits = received?.context("receive")?;
            Ok(Speed { gigabits, congestion: sent.context("send")? })
        })
    }
}

fn listen(address: Ipv4Addr) -> Result<TcpListener> {
    let listener = TcpListener::bind((address, 0)).with_context(|| format!("listen on {address}"))?;
    choose_congestion(&listener);
    Ok(listener)
}

/// Gives what arrives, in gigabits per second, then hangs up.
fn receive(listener: &TcpListener, time: Duration) -> Result<f64> {
    pin()?;
    let mut stream = accept(listener)?;
    stream.set_read_timeout(Some(STALL))?;
    let mut buffer = vec![0; BUFFER];
    let warm = Instant::now();
    while warm.elapsed() < WARM_UP {
        read(&mut stream, &mut buffer)?;
    }
    let (start, mut bytes) = (Instant::now(), 0.0);
    while start.elapsed() < time {
        bytes += f64::from(read(&mut stream, &mut buffer)?);
    }
    Ok(bytes * 8.0 / start.elapsed().as_secs_f64() / 1e9)
}

fn accept(listener: &TcpListener) -> Result<TcpStream> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + STALL;
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error).context("nobody connects"),
        }
    }
}

fn read(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<u32> {
    match stream.read(buffer)? {
        0 => bail!("the sender hung up"),
        length => Ok(u32::try_from(length)?),
    }
}

/// Sends until told to stop, or until the receiver hangs up. Gives the congestion control.
fn send(address: SocketAddrV4, done: &AtomicBool) -> Result<String> {
    pin()?;
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    // Before it connects: a change later keeps the pacing of the first choice.
    choose_congestion(&socket);
    setsockopt(&socket, SendTimeout, &TimeVal::new(i64::try_from(STALL.as_secs())?, 0))?;
    connect(socket.as_raw_fd(), &SockaddrIn::from(address))
        .with_context(|| format!("connect to {address}"))?;
    let congestion = getsockopt(&socket, TcpCongestion)?;
    let mut stream = TcpStream::from(socket);
    let buffer = vec![0x5a; BUFFER];
    while !done.load(Ordering::Relaxed) {
        match stream.write(&buffer) {
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => break,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(congestion.to_string_lossy().trim_end_matches('\0').to_owned())
}

/// A kernel without it keeps its default, which the measurement then reports.
fn choose_congestion(socket: &impl AsFd) {
    let _ = setsockopt(socket, TcpCongestion, &OsString::from(CONGESTION));
}

/// Moves the thread to the first CPU that it may use. Sender, receiver and kernel work then share one, which makes
/// runs comparable; where the scheduler puts two threads on two CPUs decides more than what is measured.
fn pin() -> Result<()> {
    let this = Pid::from_raw(0);
    let allowed = sched_getaffinity(this)?;
    let first = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu) == Ok(true));
    let mut one = CpuSet::new();
    one.set(first.context("no CPU is allowed")?)?;
    sched_setaffinity(this, &one).context("pin a thread to a CPU")
}

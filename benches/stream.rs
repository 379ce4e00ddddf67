//! What is sent. One thread does both ends in turn, so that sender, receiver and softirq share one CPU.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};

use crate::pair::Pair;

/// Keeps the calling thread, and with it the softirqs that it causes, on the first CPU.
///
/// # Errors
/// When the kernel refuses.
pub fn stay_on_one_cpu() -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(0)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &cpus)?)
}

/// Datagrams that are under way at once; well below what a queue holds.
const BATCH: u32 = 64;

/// Two UDP sockets that are connected to each other.
#[derive(Debug)]
pub struct Udp {
    ends: [UdpSocket; 2],
}

impl Udp {
    /// Opens them, and lets each say something, so that no flooding is measured.
    ///
    /// # Errors
    /// When nothing passes.
    pub fn open(pair: &Pair) -> Result<Self> {
        let [one, two] = pair.addresses;
        let first = pair.ends[0].run(|| UdpSocket::bind((one, 5000)))??;
        let second = pair.ends[1].run(|| UdpSocket::bind((two, 5000)))??;
        first.connect((two, 5000))?;
        second.connect((one, 5000))?;
        let ends = [first, second];
        for end in &ends {
            end.set_read_timeout(Some(Duration::from_secs(2)))?;
        }
        let udp = Self { ends };
        udp.round_trips(10)?;
        Ok(udp)
    }

    /// That many datagrams of 18 bytes, which are frames of 64 with the FCS, one way.
    ///
    /// # Errors
    /// When one is lost.
    pub fn one_way(&self, datagrams: u32) -> Result<Duration> {
        let start = Instant::now();
        let mut buffer = [0; 64];
        let mut left = datagrams;
        while left > 0 {
            let batch = left.min(BATCH);
            for _ in 0..batch {
                self.ends[0].send(&[7; 18])?;
            }
            for _ in 0..batch {
                self.ends[1].recv(&mut buffer).context("a datagram was lost")?;
            }
            left -= batch;
        }
        Ok(start.elapsed())
    }

    /// That many requests, each answered before the next.
    ///
    /// # Errors
    /// When one is lost.
    pub fn round_trips(&self, times: u32) -> Result<Duration> {
        let start = Instant::now();
        let mut buffer = [0; 64];
        for _ in 0..times {
            for (from, to) in [(0, 1), (1, 0)] {
                self.ends[from].send(&[7; 18])?;
                self.ends[to].recv(&mut buffer).context("a datagram was lost")?;
            }
        }
        Ok(start.elapsed())
    }
}

/// A TCP connection with both its ends.
#[derive(Debug)]
pub struct Tcp {
    near: TcpStream,
    far: TcpStream,
}

impl Tcp {
    /// Connects, with cubic at both ends whatever the host's default is.
    ///
    /// # Errors
    /// When the connection fails or the kernel lacks cubic.
    pub fn open(pair: &Pair) -> Result<Self> {
        let listener = pair.ends[1].run(|| TcpListener::bind((pair.addresses[1], 0)))??;
        let address = listener.local_addr()?;
        let near = pair.ends[0].run(|| TcpStream::connect_timeout(&address, Duration::from_secs(5)))??;
        let (far, _) = listener.accept()?;
        for end in [&near, &far] {
            cubic(end)?;
            end.set_nonblocking(true)?;
        }
        Ok(Self { near, far })
    }

    /// That many bytes, one way.
    ///
    /// # Errors
    /// When the connection breaks or stalls.
    pub fn one_way(&mut self, bytes: usize) -> Result<Duration> {
        let (data, mut buffer) = (vec![7; 1 << 20], vec![0; 1 << 20]);
        let start = Instant::now();
        let (mut sent, mut received) = (0, 0);
        while received < bytes {
            let part = (bytes - sent).min(data.len());
            sent += would_block_is_zero((&self.near).write(&data[..part]))?;
            received += would_block_is_zero((&self.far).read(&mut buffer))?;
            ensure!(
                start.elapsed() < Duration::from_secs(30),
                "the connection stalls after {received} bytes"
            );
        }
        Ok(start.elapsed())
    }
}

fn would_block_is_zero(outcome: io::Result<usize>) -> io::Result<usize> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
        other => other,
    }
}

fn cubic(stream: &TcpStream) -> Result<()> {
    let name = b"cubic";
    let length = libc::socklen_t::try_from(name.len())?;
    // SAFETY: the option's value is a text of the length that is given.
    let code = unsafe {
        libc::setsockopt(
            stream.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_CONGESTION,
            name.as_ptr().cast(),
            length,
        )
    };
    ensure!(code == 0, "set TCP_CONGESTION to cubic: {}", io::Error::last_os_error());
    Ok(())
}

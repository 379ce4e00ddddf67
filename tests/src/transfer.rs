//! A TCP transfer between two namespaces, and the kernel's error counters.

use std::{
    collections::BTreeMap,
    fs, io,
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};

use crate::sandbox::NetNs;

/// Sends that many bytes over TCP from one namespace to an address in another, and checks that all arrive and that
/// each is right. Gives the time that it took.
///
/// # Errors
/// When the connection fails or stalls for ten seconds, or a byte is wrong.
pub fn tcp(from: &NetNs, to: &NetNs, address: Ipv4Addr, bytes: u64) -> Result<Duration> {
    let listener = to.run(|| TcpListener::bind((address, 0)))?.context("listen")?;
    let address = listener.local_addr()?;
    thread::scope(|scope| {
        let far_end = scope.spawn(move || receive(&listener, bytes));
        let start = Instant::now();
        let sent = from.run(|| send(address, bytes))?;
        let received = far_end.join().map_err(|_| anyhow::anyhow!("the receiver panicked"))?;
        sent.context("send").and(received.context("receive"))?;
        Ok(start.elapsed())
    })
}

const STALL: Duration = Duration::from_secs(10);

/// A pattern whose period is no power of two, so that a lost or repeated part shows.
fn pattern() -> Vec<u8> {
    (0..251_u8).cycle().take(251 * 1024).collect()
}

fn send(address: SocketAddr, bytes: u64) -> io::Result<()> {
    let mut stream = TcpStream::connect_timeout(&address, STALL)?;
    stream.set_write_timeout(Some(STALL))?;
    let pattern = pattern();
    let mut left = bytes;
    while left > 0 {
        let part = usize::try_from(left).unwrap_or(usize::MAX).min(pattern.len());
        stream.write_all(&pattern[..part])?;
        left -= part as u64;
    }
    stream.shutdown(Shutdown::Write)
}

fn receive(listener: &TcpListener, bytes: u64) -> Result<()> {
    listener.set_nonblocking(true)?;
    let deadline = Instant::now() + STALL;
    let mut stream = loop {
        match listener.accept() {
            Ok((stream, _)) => break stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => return Err(error.into()),
        }
    };
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(STALL))?;
    // Twice the pattern, so that from every phase a whole buffer can be compared at once.
    let pattern = [pattern(), pattern()].concat();
    let mut buffer = vec![0; 251 * 1024];
    let mut total = 0;
    loop {
        let length = stream.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        let phase = usize::try_from(total % 251)?;
        ensure!(
            buffer[..length] == pattern[phase..phase + length],
            "a byte after the first {total} is wrong"
        );
        total += length as u64;
    }
    ensure!(total == bytes, "{total} of {bytes} bytes arrived");
    Ok(())
}

/// The counters of `/proc/net/snmp` and `/proc/net/netstat` in a namespace, as `nstat` names them.
///
/// # Errors
/// When they cannot be read.
pub fn nstat(namespace: &NetNs) -> Result<BTreeMap<String, u64>> {
    let mut counters = BTreeMap::new();
    for file in ["snmp", "netstat"] {
        // Not /proc/net: that is the process's first thread's.
        let text = namespace.run(|| fs::read_to_string(format!("/proc/thread-self/net/{file}")))??;
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.chunks_exact(2) {
            let (names, values) = (pair[0].split_whitespace(), pair[1].split_whitespace());
            let group = pair[0].split(':').next().unwrap_or_default();
            for (name, value) in names.zip(values).skip(1) {
                // A few are -1 for "no limit"; those are no counters.
                if let Ok(value) = value.parse() {
                    counters.insert(format!("{group}{name}"), value);
                }
            }
        }
    }
    Ok(counters)
}

/// The counters of a namespace that say that a checksum was wrong, if any is not zero.
///
/// # Errors
/// As [`nstat`].
pub fn checksum_errors(namespace: &NetNs) -> Result<Vec<(String, u64)>> {
    let counters = nstat(namespace)?;
    ensure!(counters.contains_key("TcpInCsumErrors"), "this kernel does not count checksum errors");
    Ok(counters.into_iter().filter(|(name, value)| name.contains("Csum") && *value > 0).collect())
}

//! The peer of a tap: a station made of nothing but a file descriptor, which answers ARP and ICMP echo.

use std::{
    env,
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    net::Ipv4Addr,
    os::{
        fd::{AsFd, AsRawFd},
        unix::{fs::OpenOptionsExt, process::CommandExt},
    },
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
        mpsc::{self, Receiver, Sender},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow, bail};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vswitch_common::addr::MacAddr;

use super::{
    packet::{Arp, ArpKind, Echo, EchoKind},
    ping,
};

/// Its IPv4 address.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 5);
/// Its MAC address.
pub const MAC: MacAddr = MacAddr::new([0x02, 0, 0, 0x77, 0, 0x05]);
const ME: (MacAddr, Ipv4Addr) = (MAC, ADDRESS);

/// How soon a request to stop is noticed, in milliseconds.
const STOP_CHECK: u16 = 20;
const LARGEST_FRAME: usize = 65_550;
const IFF_VNET_HDR: u16 = 0x4000;
/// `IFF_PERSIST` tells about the device and is none of the flags to ask for.
const IFF_PERSIST: u16 = 0x0800;

/// The station, alive on a thread of its own.
#[derive(Debug)]
pub struct TapEcho {
    file: Arc<File>,
    answers: Receiver<Answer>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

/// Something that the station waits for when it pings.
#[derive(Debug, PartialEq, Eq)]
enum Answer {
    Arp(Ipv4Addr, MacAddr),
    Echo(Ipv4Addr, (u16, u16)),
}

impl TapEcho {
    /// Connects to a tap in the calling thread's namespace, which gives the tap its carrier.
    ///
    /// # Errors
    /// When there is no such tap, or it is in use.
    pub fn start(device: &str) -> Result<Self> {
        let file = Arc::new(open(device)?);
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, answers) = mpsc::channel();
        let (thread_file, thread_stop) = (Arc::clone(&file), Arc::clone(&stop));
        let thread = thread::Builder::new().name(format!("echo {device}")).spawn(move || {
            while !thread_stop.load(Ordering::Relaxed) {
                handle_next(&thread_file, &sender)?;
            }
            Ok(())
        })?;
        Ok(Self { file, answers, stop, thread })
    }

    /// Pings from this station once; the round trip time, or `None` when no answer comes in time.
    ///
    /// # Errors
    /// When the tap is gone.
    pub fn ping(&self, target: Ipv4Addr, patience: Duration) -> Result<Option<Duration>> {
        let deadline = Instant::now() + patience;
        let request = Arp { kind: ArpKind::Request, sender: ME, target: (MacAddr::new([0; 6]), target) };
        self.send(&request.build())?;
        let resolved = self.await_answer(deadline, |answer| match answer {
            Answer::Arp(from, mac) if from == target => Some(mac),
            Answer::Arp(..) | Answer::Echo(..) => None,
        });
        let Some(mac) = resolved else { return Ok(None) };

        let number = ping::next_number();
        let destination = (mac, target);
        let echo =
            Echo { kind: EchoKind::Request, source: ME, destination, number, data: b"vswitch".to_vec() };
        let start = Instant::now();
        self.send(&echo.build())?;
        let answered =
            self.await_answer(deadline, |answer| (answer == Answer::Echo(target, number)).then_some(()));
        Ok(answered.map(|()| start.elapsed()))
    }

    /// Ends the station; the tap loses its carrier.
    ///
    /// # Errors
    /// The error that ended it before, if one did.
    pub fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| anyhow!("the tap's peer panicked"))?.context("the tap's peer")
    }

    fn send(&self, frame: &[u8]) -> Result<()> {
        (&*self.file).write_all(frame).context("write to the tap")
    }

    fn await_answer<T>(&self, deadline: Instant, wanted: impl Fn(Answer) -> Option<T>) -> Option<T> {
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let answer = self.answers.recv_timeout(left).ok()?;
            if let Some(found) = wanted(answer) {
                return Some(found);
            }
        }
    }
}

/// Answers for ever, in this thread.
///
/// # Errors
/// When the tap cannot be opened or is gone.
pub fn serve(device: &str) -> Result<()> {
    let file = open(device)?;
    let (sender, _receiver) = mpsc::channel();
    loop {
        handle_next(&file, &sender)?;
    }
}

/// Starts a process that answers until it is killed or the tap is gone; its number.
///
/// # Errors
/// When it cannot be started.
pub fn detach(device: &str) -> Result<u32> {
    let child = Command::new(env::current_exe()?)
        .args(["tap-echo", device])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        // Not in our group, so that Ctrl-C in this terminal is not for it.
        .process_group(0)
        .spawn()?;
    Ok(child.id())
}

/// Waits a little for a frame, and answers it if it is for us.
fn handle_next(file: &File, answers: &Sender<Answer>) -> Result<()> {
    let mut waits = [PollFd::new(file.as_fd(), PollFlags::POLLIN)];
    match poll(&mut waits, PollTimeout::from(STOP_CHECK)) {
        Ok(0) | Err(nix::Error::EINTR) => return Ok(()),
        Ok(_) => {}
        Err(error) => return Err(error).context("wait for the tap"),
    }
    let mut buffer = vec![0; LARGEST_FRAME];
    let mut file = file;
    let length = match file.read(&mut buffer) {
        Ok(length) => length,
        Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
        Err(error) => return Err(error).context("read from the tap"),
    };
    let Some(outcome) = react(&buffer[..length]) else {
        return Ok(());
    };
    match outcome {
        Reaction::Reply(frame) => file.write_all(&frame).context("write to the tap"),
        Reaction::Answered(answer) => {
            // When nobody waits for it any more, the answer is late and not missed.
            drop(answers.send(answer));
            Ok(())
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Reaction {
    Reply(Vec<u8>),
    Answered(Answer),
}

/// What the station does about a frame; nothing when it is for somebody else.
fn react(frame: &[u8]) -> Option<Reaction> {
    if let Some(arp) = Arp::parse(frame).filter(|arp| arp.target.1 == ADDRESS) {
        return Some(match arp.kind {
            ArpKind::Request => {
                Reaction::Reply(Arp { kind: ArpKind::Reply, sender: ME, target: arp.sender }.build())
            }
            ArpKind::Reply => Reaction::Answered(Answer::Arp(arp.sender.1, arp.sender.0)),
        });
    }
    let echo = Echo::parse(frame).filter(|echo| echo.destination == ME)?;
    Some(match echo.kind {
        EchoKind::Request => Reaction::Reply(echo.answer().build()),
        EchoKind::Reply => Reaction::Answered(Answer::Echo(echo.source.1, echo.number)),
    })
}

mod ioctl {
    nix::ioctl_write_ptr_bad!(set_interface, libc::TUNSETIFF, libc::ifreq);
}

/// Opens a tap with the flags that it was made with.
fn open(device: &str) -> Result<File> {
    let path = format!("/sys/class/net/{device}/tun_flags");
    let text = fs::read_to_string(&path).with_context(|| format!("`{device}` is no tap: {path}"))?;
    let flags = u16::from_str_radix(text.trim().trim_start_matches("0x"), 16)
        .with_context(|| format!("{path} contains `{}`", text.trim()))?;
    if flags & IFF_VNET_HDR != 0 {
        bail!("tap `{device}` has a vnet header, which its peer here does not speak");
    }
    let mut request = crate::device::request(device)?;
    request.ifr_ifru.ifru_flags = (flags & !IFF_PERSIST).cast_signed();
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NONBLOCK)
        .open("/dev/net/tun")
        .context("open /dev/net/tun")?;
    // SAFETY: the request is a complete ifreq that outlives the call.
    unsafe { ioctl::set_interface(file.as_raw_fd(), &raw const request) }
        .with_context(|| format!("connect to tap `{device}`"))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::station;

    const OTHER: (MacAddr, Ipv4Addr) = (station(9), Ipv4Addr::new(10, 77, 0, 9));

    #[test]
    fn it_answers_arp_and_echo_for_itself_only() {
        let ask =
            |target| Arp { kind: ArpKind::Request, sender: OTHER, target: (MacAddr::new([0; 6]), target) };
        let expected = Arp { kind: ArpKind::Reply, sender: ME, target: OTHER }.build();
        assert_eq!(react(&ask(ADDRESS).build()), Some(Reaction::Reply(expected)));
        assert_eq!(react(&ask(OTHER.1).build()), None);

        let echo = Echo {
            kind: EchoKind::Request,
            source: OTHER,
            destination: ME,
            number: (1, 2),
            data: vec![1, 2, 3],
        };
        assert_eq!(react(&echo.build()), Some(Reaction::Reply(echo.clone().answer().build())));
        let stray = Echo { destination: (station(7), ADDRESS), ..echo };
        assert_eq!(react(&stray.build()), None, "flooded to us, but for another station");
    }

    #[test]
    fn an_answer_is_recognised() {
        let reply =
            Echo { kind: EchoKind::Reply, source: OTHER, destination: ME, number: (3, 4), data: Vec::new() };
        assert_eq!(react(&reply.build()), Some(Reaction::Answered(Answer::Echo(OTHER.1, (3, 4)))));
    }
}

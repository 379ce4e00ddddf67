//! The pinned program itself, run by the kernel's `BPF_PROG_TEST_RUN`: one frame in, one verdict out.
//!
//! By bpf(2) without a library, because it is called a hundred million times.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
    time::Duration,
};

use nix::time::{ClockId, clock_gettime};

const BPF_OBJ_GET: libc::c_long = 7;
const BPF_PROG_TEST_RUN: libc::c_long = 10;

/// What the program may say about a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// On to the next program or the stack (`TCX_NEXT`, `TCX_PASS`).
    Host,
    /// `TCX_DROP`
    Drop,
    /// `TCX_REDIRECT`: out of a device, copies have already left.
    Redirect,
}

/// What is beside a frame's bytes: the first 184 bytes of `struct __sk_buff`, as far as the kernel lets them be set.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct Context {
    words: [u32; 46],
}

impl Context {
    const IFINDEX: usize = 10;
    const WIRE_LENGTH: usize = 40;
    const GSO_SEGMENTS: usize = 41;
    const GSO_SIZE: usize = 44;

    /// A frame that comes in by an interface.
    pub fn ingress(ifindex: u32) -> Self {
        let mut words = [0; 46];
        words[Self::IFINDEX] = ifindex;
        Self { words }
    }

    /// One that stands for so many segments of so many bytes, `wire_length` in all.
    pub fn gso(ifindex: u32, size: u32, segments: u32, wire_length: u32) -> Self {
        let mut context = Self::ingress(ifindex);
        context.words[Self::GSO_SIZE] = size;
        context.words[Self::GSO_SEGMENTS] = segments;
        context.words[Self::WIRE_LENGTH] = wire_length;
        context
    }
}

/// `union bpf_attr` of `BPF_PROG_TEST_RUN`.
#[repr(C)]
#[derive(Clone, Copy)]
struct TestRun {
    program: u32,
    verdict: u32,
    in_size: u32,
    out_size: u32,
    in_data: u64,
    out_data: u64,
    repeat: u32,
    duration: u32,
    context_in_size: u32,
    context_out_size: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
    padding: u32,
}

/// A pinned program.
#[derive(Debug)]
pub struct Program {
    descriptor: OwnedFd,
    /// A map that is emptied when nobody has it any more.
    _map: Option<OwnedFd>,
}

impl Program {
    /// Opens it.
    ///
    /// # Errors
    /// When there is none at that path.
    pub fn pinned(path: &str) -> io::Result<Self> {
        // `union bpf_attr` of BPF_OBJ_GET: the path, and two numbers.
        let path = CString::new(path)?;
        let mut attributes = [path.as_ptr() as u64, 0];
        Ok(Self { descriptor: own(bpf(BPF_OBJ_GET, &mut attributes)?), _map: None })
    }

    /// A program that was just loaded, and the map that it needs.
    pub(crate) fn loaded(descriptor: OwnedFd, map: Option<OwnedFd>) -> Self {
        Self { descriptor, _map: map }
    }

    /// Its descriptor.
    pub(crate) fn descriptor(&self) -> u32 {
        self.descriptor.as_raw_fd().cast_unsigned()
    }

    /// Runs it on a frame. `out` gets the frame as the program leaves it, and is as long as that afterwards.
    ///
    /// # Errors
    /// When the kernel does not let a program see such a frame at all: `EINVAL` for less than an Ethernet header.
    ///
    /// # Panics
    /// When the verdict is none that a switch gives.
    pub fn run(&self, frame: &[u8], context: &Context, out: &mut Vec<u8>) -> io::Result<Verdict> {
        out.resize(frame.len() + 64, 0);
        let mut run = TestRun {
            out_size: u32::try_from(out.len()).unwrap_or(u32::MAX),
            out_data: out.as_mut_ptr() as u64,
            ..self.test_run(frame, context, 1)
        };
        bpf(BPF_PROG_TEST_RUN, &mut run)?;
        out.truncate(usize::try_from(run.out_size).unwrap_or(0));
        match run.verdict.cast_signed() {
            -1 | 0 => Ok(Verdict::Host),
            2 => Ok(Verdict::Drop),
            7 => Ok(Verdict::Redirect),
            other => panic!("{other} is no verdict of a switch, for {frame:02x?}"),
        }
    }

    /// Runs it that often on the same frame, which keeps what the program changes, and gives the time of one run in
    /// nanoseconds.
    ///
    /// # Errors
    /// As [`Self::run`].
    pub fn time(&self, frame: &[u8], context: &Context, repeat: u32) -> io::Result<f64> {
        let mut run = self.test_run(frame, context, repeat);
        // The kernel's own mean is in whole nanoseconds. What others do on this CPU meanwhile does not count; one system
        // call more or less is nothing to so many runs.
        let now = || clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from);
        let start = now()?;
        bpf(BPF_PROG_TEST_RUN, &mut run)?;
        Ok(now()?.saturating_sub(start).as_secs_f64() * 1e9 / f64::from(repeat))
    }

    fn test_run(&self, frame: &[u8], context: &Context, repeat: u32) -> TestRun {
        TestRun {
            program: self.descriptor(),
            verdict: 0,
            in_size: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            out_size: 0,
            in_data: frame.as_ptr() as u64,
            out_data: 0,
            repeat,
            duration: 0,
            context_in_size: u32::try_from(size_of::<Context>()).unwrap_or(0),
            context_out_size: 0,
            context_in: (&raw const *context) as u64,
            context_out: 0,
            flags: 0,
            cpu: 0,
            batch: 0,
            padding: 0,
        }
    }
}

/// Calls bpf(2).
///
/// # Errors
/// What the kernel says.
pub(crate) fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the attributes are as long as they say, and what they point to is alive in the callers.
    let code = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(code).unwrap_or(0)) }
}

/// Takes the descriptor that bpf(2) has just made.
pub(crate) fn own(descriptor: i32) -> OwnedFd {
    // SAFETY: the callers got it from the kernel, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(descriptor) }
}

//! The pinned program itself, run by the kernel's `BPF_PROG_TEST_RUN`: one frame in, one verdict out.
//!
//! By bpf(2) without a library, because it is called a hundred million times.

use std::{
    ffi::CString,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

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
pub struct Program(OwnedFd);

impl Program {
    /// Opens it.
    ///
    /// # Errors
    /// When there is none at that path.
    pub fn pinned(path: &str) -> io::Result<Self> {
        // `union bpf_attr` of BPF_OBJ_GET: the path, and two numbers.
        let path = CString::new(path)?;
        let mut attributes = [path.as_ptr() as u64, 0];
        let descriptor = bpf(BPF_OBJ_GET, &mut attributes)?;
        // SAFETY: the descriptor was just made and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
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
            program: self.0.as_raw_fd().cast_unsigned(),
            verdict: 0,
            in_size: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            out_size: u32::try_from(out.len()).unwrap_or(u32::MAX),
            in_data: frame.as_ptr() as u64,
            out_data: out.as_mut_ptr() as u64,
            repeat: 1,
            duration: 0,
            context_in_size: u32::try_from(size_of::<Context>()).unwrap_or(0),
            context_out_size: 0,
            context_in: (&raw const *context) as u64,
            context_out: 0,
            flags: 0,
            cpu: 0,
            batch: 0,
            padding: 0,
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
}

fn bpf<T>(command: libc::c_long, attributes: &mut T) -> io::Result<i32> {
    // SAFETY: the attributes are as long as they say, and what they point to is alive in the callers.
    let code = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *attributes, size_of::<T>()) };
    if code < 0 { Err(io::Error::last_os_error()) } else { Ok(i32::try_from(code).unwrap_or(0)) }
}

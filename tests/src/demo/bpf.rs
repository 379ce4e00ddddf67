//! The few commands of bpf(2) that are needed to count objects, without a library: the demo must not share the
//! product's own opinion of what it left behind.

use std::{
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
};

/// A kind of object with identifiers of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A program.
    Program,
    /// A map.
    Map,
    /// A link: what keeps a program attached.
    Link,
}

/// One object.
pub type Object = (Kind, u32);

const OBJ_GET: libc::c_int = 7;
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const PROG_GET_FD_BY_ID: libc::c_int = 13;

impl Kind {
    fn get_next_id(self) -> libc::c_int {
        match self {
            Self::Program => 11,
            Self::Map => 12,
            Self::Link => 31,
        }
    }
}

/// The members of `union bpf_attr` for `BPF_*_GET_NEXT_ID` and `BPF_*_GET_FD_BY_ID`.
#[repr(C)]
struct IdRequest {
    id: u32,
    next_id: u32,
    flags: u32,
}

/// For `BPF_OBJ_GET`.
#[repr(C)]
struct PathRequest {
    path: u64,
    fd: u32,
    flags: u32,
}

/// For `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct InfoRequest {
    fd: u32,
    length: u32,
    info: u64,
}

/// Enough of the beginning of `struct bpf_{prog,map,link}_info`, in which the second word is always the identifier.
#[repr(C)]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    /// Of a link: its program. Of a program: a part of its tag.
    program: u32,
    tag: u32,
    lengths: [u32; 2],
    instructions: [u64; 2],
    load_time: u64,
    created_by: u32,
    map_count: u32,
    map_ids: u64,
}

/// Whether an object exists, whoever made it.
///
/// # Errors
/// Without the right to ask.
pub fn exists((kind, id): Object) -> io::Result<bool> {
    let mut request = IdRequest { id: id.saturating_sub(1), next_id: 0, flags: 0 };
    match bpf(kind.get_next_id(), &mut request) {
        Ok(_) => Ok(request.next_id == id),
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The object that is pinned at a path, and what it holds: a link its program, a program its maps.
///
/// # Errors
/// When there is no such pin, or without the right to ask.
pub fn pinned(path: &Path) -> io::Result<Vec<Object>> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    let mut request = PathRequest { path: name.as_ptr() as u64, fd: 0, flags: 0 };
    let file = descriptor(bpf(OBJ_GET, &mut request)?);
    let target = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let target = target.to_string_lossy();
    if target.contains("map") {
        let (info, _) = info(&file)?;
        Ok(vec![(Kind::Map, info.id)])
    } else if target.contains("link") {
        let (info, _) = info(&file)?;
        let mut found = vec![(Kind::Link, info.id)];
        let mut request = IdRequest { id: info.program, next_id: 0, flags: 0 };
        found.extend(program(&descriptor(bpf(PROG_GET_FD_BY_ID, &mut request)?))?);
        Ok(found)
    } else {
        program(&file)
    }
}

fn program(file: &OwnedFd) -> io::Result<Vec<Object>> {
    let (info, maps) = info(file)?;
    let maps = maps.into_iter().map(|id| (Kind::Map, id));
    Ok([(Kind::Program, info.id)].into_iter().chain(maps).collect())
}

/// Facts about an object, and the maps of a program.
fn info(file: &OwnedFd) -> io::Result<(Info, Vec<u32>)> {
    let mut maps = vec![0_u32; 64];
    // Other kinds of objects have other members there, which the kernel only writes.
    let mut info = Info::default();
    let is_program =
        fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd()))?.to_string_lossy().contains("prog");
    if is_program {
        info.map_count = 64;
        info.map_ids = maps.as_mut_ptr() as u64;
    }
    let length = u32::try_from(size_of::<Info>()).map_err(io::Error::other)?;
    let fd = file.as_raw_fd().cast_unsigned();
    bpf(OBJ_GET_INFO_BY_FD, &mut InfoRequest { fd, length, info: (&raw mut info) as u64 })?;
    maps.truncate(if is_program { usize::try_from(info.map_count).map_err(io::Error::other)? } else { 0 });
    Ok((info, maps))
}

fn descriptor(fd: libc::c_int) -> OwnedFd {
    // SAFETY: the kernel just made this descriptor for us, and nobody else has it.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn bpf<T>(command: libc::c_int, request: &mut T) -> io::Result<libc::c_int> {
    // SAFETY: the request is one of the structures above, of the length that is given, for a command that reads and
    // writes no more than that; the pointers in it are to live buffers of the lengths that it names.
    let code = unsafe { libc::syscall(libc::SYS_bpf, command, &raw mut *request, size_of::<T>()) };
    if code < 0 {
        return Err(io::Error::last_os_error());
    }
    libc::c_int::try_from(code).map_err(io::Error::other)
}

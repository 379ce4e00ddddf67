//! Network namespaces: the same objects as `ip netns` knows, and those of processes.

mod enter;
mod names;
mod process;

use std::{
    fmt,
    fs::File,
    io,
    os::fd::{AsFd, BorrowedFd},
    panic,
    path::{Path, PathBuf},
    thread,
};

use nix::{
    errno::Errno,
    sched::{CloneFlags, setns},
    sys::{
        socket::{AddressFamily, SockFlag, SockType, socket},
        stat::fstat,
        statfs::{FsType, fstatfs},
    },
};

pub use self::{
    enter::enter_like_ip,
    names::{attach, create, delete, directory, exists, list},
    process::{ProcessSpace, identify, pids, process_spaces},
};
use super::HostError;
use crate::name::NsName;

/// Magic number of the file system that namespaces are files of (`NSFS_MAGIC` in Linux).
const NSFS_MAGIC: FsType = FsType(0x6e73_6673);

/// An open network namespace. It exists at least as long as this does.
#[derive(Debug)]
pub struct Netns {
    file: File,
    origin: Origin,
}

/// By what a namespace was found, for messages.
#[derive(Clone, Debug)]
enum Origin {
    Current,
    Named(NsName),
    Process(u32),
    Path(PathBuf),
}

impl fmt::Display for Netns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.origin {
            Origin::Current => f.write_str("this namespace"),
            Origin::Named(name) => write!(f, "namespace `{name}`"),
            Origin::Process(pid) => write!(f, "the namespace of process {pid}"),
            Origin::Path(path) => write!(f, "namespace `{}`", path.display()),
        }
    }
}

impl AsFd for Netns {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}

impl Netns {
    /// The one that the calling thread is in.
    pub fn current() -> Result<Self, HostError> {
        Self::open("/proc/thread-self/ns/net".into(), Origin::Current)
    }

    /// One with a name, as in `ip netns list`.
    ///
    /// # Errors
    /// [`HostError::NoSuchNamespace`] if there is none.
    pub fn named(name: &NsName) -> Result<Self, HostError> {
        Self::open(directory().join(name.as_str()), Origin::Named(name.clone()))
    }

    /// The one that a process is in, such as the first process of a container.
    ///
    /// # Errors
    /// [`HostError::NoSuchProcess`] if there is none.
    pub fn of_pid(pid: u32) -> Result<Self, HostError> {
        Self::open(format!("/proc/{pid}/ns/net").into(), Origin::Process(pid))
    }

    /// One that is mounted somewhere else, as container managers do.
    pub fn at_path(path: &Path) -> Result<Self, HostError> {
        Self::open(path.to_owned(), Origin::Path(path.to_owned()))
    }

    fn open(path: PathBuf, origin: Origin) -> Result<Self, HostError> {
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) => return Err(absent(&origin, &path, error)),
        };
        let ns = Self { file, origin };
        if ns.is_network() { Ok(ns) } else { Err(HostError::NotANamespace { path }) }
    }

    /// Whether the file is a namespace, and one of networks.
    fn is_network(&self) -> bool {
        fstatfs(&self.file).is_ok_and(|stat| stat.filesystem_type() == NSFS_MAGIC)
            && kind_of(self.as_fd()).is_ok_and(|kind| kind == CloneFlags::CLONE_NEWNET.bits())
    }

    /// A number that no other namespace of this boot ever has (`SO_NETNS_COOKIE`, Linux 5.14).
    pub fn cookie(&self) -> Result<u64, HostError> {
        let cookie = self.run(|| {
            let socket = socket(AddressFamily::Unix, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
            netns_cookie(socket.as_fd())
        })?;
        cookie.map_err(|errno| HostError::Refused {
            doing: format!("read the cookie of {self}"),
            errno,
            reason: match errno {
                Errno::ENOPROTOOPT => {
                    "this kernel has no SO_NETNS_COOKIE; it takes Linux 5.14 or newer".into()
                }
                other => other.desc().to_lowercase(),
            },
        })
    }

    /// Device and inode number. No two namespaces that exist at the same time have the same.
    pub fn inode(&self) -> Result<(u64, u64), HostError> {
        let stat = fstat(&self.file)
            .map_err(|errno| HostError::system(format!("look at {self}"), errno, "CAP_SYS_PTRACE"))?;
        Ok((stat.st_dev, stat.st_ino))
    }

    /// Whether both are the same namespace.
    pub fn is_same(&self, other: &Self) -> Result<bool, HostError> {
        Ok(self.inode()? == other.inode()?)
    }

    /// Runs something inside the namespace: at once if the caller is in it, else on a thread of its own, so that the
    /// caller stays where it is. What it opens stays in the namespace. Takes `CAP_SYS_ADMIN` unless the caller is in it.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, HostError> {
        if self.is_same(&Self::current()?)? {
            return Ok(work());
        }
        thread::scope(|scope| {
            let inside = scope.spawn(|| self.enter().map(|()| work()));
            inside.join().unwrap_or_else(|panic| panic::resume_unwind(panic))
        })
    }

    /// Moves the calling thread into the namespace, for good.
    pub fn enter(&self) -> Result<(), HostError> {
        setns(&self.file, CloneFlags::CLONE_NEWNET)
            .map_err(|errno| HostError::system(format!("enter {self}"), errno, "CAP_SYS_ADMIN"))
    }
}

/// Why a namespace could not be opened.
fn absent(origin: &Origin, path: &Path, error: io::Error) -> HostError {
    match (error.kind(), origin) {
        (io::ErrorKind::NotFound, Origin::Named(name)) => {
            HostError::NoSuchNamespace { name: name.to_string() }
        }
        (io::ErrorKind::NotFound, Origin::Process(pid)) => HostError::NoSuchProcess { pid: *pid },
        (io::ErrorKind::PermissionDenied, Origin::Process(pid)) => HostError::NoPrivilege {
            doing: format!("look into the namespace of process {pid}"),
            capability: "CAP_SYS_PTRACE",
        },
        (io::ErrorKind::PermissionDenied, _) => HostError::NoPrivilege {
            doing: format!("open `{}`", path.display()),
            capability: "CAP_DAC_OVERRIDE",
        },
        // `/proc/PID` of a process that is just ending.
        _ if matches!(error.raw_os_error(), Some(libc::ESRCH)) => match origin {
            Origin::Process(pid) => HostError::NoSuchProcess { pid: *pid },
            Origin::Current | Origin::Named(_) | Origin::Path(_) => system(path, error),
        },
        _ => system(path, error),
    }
}

fn system(path: &Path, source: io::Error) -> HostError {
    HostError::System { doing: format!("open `{}`", path.display()), source }
}

/// `NS_GET_NSTYPE` (Linux 4.11): the clone flag of a namespace's kind.
fn kind_of(file: BorrowedFd<'_>) -> nix::Result<i32> {
    const NSIO: u64 = 0xb7;
    nix::ioctl_none!(ns_get_nstype, NSIO, 3);
    // SAFETY: the request takes no argument and writes nothing; any descriptor may be given.
    unsafe { ns_get_nstype(std::os::fd::AsRawFd::as_raw_fd(&file)) }
}

/// `SO_NETNS_COOKIE` of a socket.
fn netns_cookie(socket: BorrowedFd<'_>) -> nix::Result<u64> {
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).map_err(|_| Errno::EINVAL)?;
    // SAFETY: `cookie` and `length` are valid for writing for the whole call, and `length` is the size of `cookie`.
    let result = unsafe {
        libc::getsockopt(
            std::os::fd::AsRawFd::as_raw_fd(&socket),
            libc::SOL_SOCKET,
            SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    Errno::result(result).map(|_| cookie)
}

/// Not in every version of the C library's headers.
const SO_NETNS_COOKIE: libc::c_int = 71;

//! Namespaces with a name: files in `/run/netns` on which a namespace is mounted, as `ip netns` makes them.

use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::{
        fd::AsRawFd,
        unix::fs::{DirBuilderExt, OpenOptionsExt},
    },
    path::{Path, PathBuf},
    thread,
};

use nix::{
    errno::Errno,
    fcntl::{Flock, FlockArg},
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
};

use super::{super::Uninterrupted, HostError, Netns};
use crate::name::NsName;

/// What making and removing a name takes.
const CAPABILITY: &str = "CAP_SYS_ADMIN";

/// Where the names are, as everywhere: `/run/netns`.
pub fn directory() -> &'static Path {
    Path::new("/run/netns")
}

fn path_of(name: &NsName) -> PathBuf {
    directory().join(name.as_str())
}

/// Makes an empty namespace with a name. The caller stays where it is; on failure nothing is left.
///
/// # Errors
/// [`HostError::NamespaceExists`] if the name is taken.
pub fn create(name: &NsName) -> Result<Netns, HostError> {
    let doing = || format!("make namespace `{name}`");
    if exists(name) {
        return Err(HostError::NamespaceExists { name: name.to_string() });
    }
    // A thread of its own leaves its namespace; the new one lives on in the file that it opened.
    let made = thread::scope(|scope| {
        let inside = scope.spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET)
                .map_err(|errno| HostError::system(doing(), errno, CAPABILITY))?;
            File::open("/proc/thread-self/ns/net")
                .map_err(|source| HostError::System { doing: doing(), source })
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    give_name(&made?, name)
}

/// Gives the namespace of a process, such as a container, a name, so that it can be used like any other.
///
/// # Errors
/// [`HostError::NoSuchProcess`], or [`HostError::NamespaceExists`] if the name is taken.
pub fn attach(name: &NsName, pid: u32) -> Result<Netns, HostError> {
    give_name(&Netns::of_pid(pid)?.file, name)
}

fn give_name(ns: &File, name: &NsName) -> Result<Netns, HostError> {
    let path = path_of(name);
    let _whole = Uninterrupted::begin();
    let _lock = prepare_directory()?;
    let placeholder = OpenOptions::new().write(true).create_new(true).mode(0o444).open(&path);
    placeholder.map_err(|source| match source.kind() {
        io::ErrorKind::AlreadyExists => HostError::NamespaceExists { name: name.to_string() },
        io::ErrorKind::PermissionDenied => HostError::NoPrivilege {
            doing: format!("write `{}`", path.display()),
            capability: "CAP_DAC_OVERRIDE",
        },
        _ => HostError::System { doing: format!("make `{}`", path.display()), source },
    })?;
    let source = format!("/proc/self/fd/{}", ns.as_raw_fd());
    let mounted = mount(Some(source.as_str()), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .map_err(|errno| {
            HostError::system(format!("mount a namespace on `{}`", path.display()), errno, CAPABILITY)
        })
        .and_then(|()| Netns::named(name));
    mounted.inspect_err(|_| {
        // Best effort: the first failure is the one to report.
        let _ = umount2(&path, MntFlags::MNT_DETACH);
        let _ = fs::remove_file(&path);
    })
}

/// Makes the directory, and makes it a shared mount of its own, so that names made or deleted in one mount namespace
/// are so in all that see it. Two processes do this one after the other, hence the lock.
fn prepare_directory() -> Result<Flock<File>, HostError> {
    let directory = directory();
    let system = |doing: String| {
        move |source: io::Error| match source.kind() {
            io::ErrorKind::PermissionDenied => {
                HostError::NoPrivilege { doing, capability: "CAP_DAC_OVERRIDE" }
            }
            _ => HostError::System { doing, source },
        }
    };
    let made = DirBuilder::new().recursive(true).mode(0o755).create(directory);
    made.map_err(system(format!("make `{}`", directory.display())))?;
    let file = File::open(directory).map_err(system(format!("open `{}`", directory.display())))?;
    let lock = Flock::lock(file, FlockArg::LockExclusive).map_err(|(_, errno)| {
        HostError::system(format!("lock `{}`", directory.display()), errno, CAPABILITY)
    })?;
    let none = None::<&str>;
    let share = || mount(none, directory, none, MsFlags::MS_SHARED | MsFlags::MS_REC, none);
    let shared = match share() {
        // Not a mount point yet.
        Err(Errno::EINVAL) => {
            mount(Some(directory), directory, none, MsFlags::MS_BIND | MsFlags::MS_REC, none)
                .and_then(|()| share())
        }
        other => other,
    };
    shared.map_err(|errno| {
        HostError::system(format!("share the mount `{}`", directory.display()), errno, CAPABILITY)
    })?;
    Ok(lock)
}

/// Takes a name away. The namespace itself goes with its last process, socket or other name; its links with it.
///
/// # Errors
/// [`HostError::NoSuchNamespace`] if there is none.
pub fn delete(name: &NsName) -> Result<(), HostError> {
    let path = path_of(name);
    if !exists(name) {
        return Err(HostError::NoSuchNamespace { name: name.to_string() });
    }
    let _whole = Uninterrupted::begin();
    match umount2(&path, MntFlags::MNT_DETACH) {
        // The left-over of an interrupted `create`: a mere file.
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(errno) => {
            return Err(HostError::system(format!("unmount `{}`", path.display()), errno, CAPABILITY));
        }
    }
    fs::remove_file(&path).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => HostError::NoSuchNamespace { name: name.to_string() },
        io::ErrorKind::PermissionDenied => HostError::NoPrivilege {
            doing: format!("remove `{}`", path.display()),
            capability: "CAP_DAC_OVERRIDE",
        },
        _ => HostError::System { doing: format!("remove `{}`", path.display()), source },
    })
}

/// All names, in order. A name need not be alive: see [`Netns::named`].
pub fn list() -> Result<Vec<NsName>, HostError> {
    let doing = || format!("list `{}`", directory().display());
    let entries = match fs::read_dir(directory()) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(|source| HostError::System { doing: doing(), source })?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|source| HostError::System { doing: doing(), source })?;
        // What is no legal name was not made by `ip netns` either.
        names.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()));
    }
    names.sort();
    Ok(names)
}

/// Whether the name is taken.
pub fn exists(name: &NsName) -> bool {
    path_of(name).symlink_metadata().is_ok()
}

//! A network and a file system view of a thread's own.

use std::{
    fs::{self, File},
    io,
    marker::PhantomData,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    thread,
};

use anyhow::{Context, Result, anyhow};
use nix::{
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
};

use crate::device;

/// Directory of named network namespaces, the same as that of `ip netns`.
pub const NETNS_DIR: &str = "/run/netns";

/// The calling thread's private network and mount namespaces: an empty network with `lo` up, a tmpfs on `/run`, a
/// fresh sysfs on `/sys` and a fresh bpffs on `/sys/fs/bpf`.
///
/// Threads and processes that the thread starts inherit it. The kernel takes everything in it down when the thread
/// and its children are gone, however they ended; there is nothing to clean up. Several threads of one process can
/// have sandboxes side by side.
#[derive(Debug)]
pub struct Sandbox {
    // A namespace belongs to a thread, so the handle must not leave it.
    not_send: PhantomData<*const ()>,
}

impl Sandbox {
    /// Moves the calling thread into a new sandbox, for good.
    ///
    /// # Errors
    /// Without root rights, or when the kernel refuses a namespace or a mount.
    pub fn enter() -> Result<Self> {
        // CLONE_NEWNS unshares CLONE_FS with it, so the other threads of the process keep their view.
        unshare(CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWNS).map_err(|error| {
            if error == nix::Error::EPERM {
                anyhow!("these tests make network namespaces, which needs root; run `sudo cargo xtask test`")
            } else {
                anyhow!("make a network and a mount namespace: {error}")
            }
        })?;
        // What is mounted here must not show outside, nor the other way round.
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .context("make the mounts private")?;
        mount_fresh("tmpfs", "/run", Some("mode=0755"))?;
        mount_fresh("sysfs", "/sys", None)?;
        mount_fresh("bpf", "/sys/fs/bpf", Some("mode=0700"))?;
        device::up("lo")?;
        Ok(Self { not_send: PhantomData })
    }

    /// Makes a named network namespace with `lo` up, which `ip netns` sees as its own.
    ///
    /// # Errors
    /// When there is one of that name, or the kernel refuses.
    pub fn netns(&self, name: &str) -> Result<NetNs> {
        prepare_netns_dir()?;
        let path = Path::new(NETNS_DIR).join(name);
        File::create_new(&path).with_context(|| format!("create {}", path.display()))?;
        let made = thread::scope(|scope| {
            scope
                .spawn(|| -> Result<()> {
                    unshare(CloneFlags::CLONE_NEWNET).context("make a network namespace")?;
                    device::up("lo")?;
                    mount(
                        Some("/proc/thread-self/ns/net"),
                        &path,
                        None::<&str>,
                        MsFlags::MS_BIND,
                        None::<&str>,
                    )
                    .with_context(|| format!("bind {}", path.display()))
                })
                .join()
                .unwrap_or_else(|_| Err(anyhow!("the thread that makes namespace `{name}` panicked")))
        });
        if let Err(error) = made {
            fs::remove_file(&path)?;
            return Err(error);
        }
        NetNs::open(name)
    }
}

/// Makes the directory a shared mount of its own, as `ip netns add` does. If it were left to a later `ip netns add`,
/// the names that exist by then would be mounted twice and could not be removed.
fn prepare_netns_dir() -> Result<()> {
    fs::DirBuilder::new().mode(0o755).recursive(true).create(NETNS_DIR)?;
    let shared = MsFlags::MS_SHARED | MsFlags::MS_REC;
    if mount(None::<&str>, NETNS_DIR, None::<&str>, shared, None::<&str>).is_err() {
        // It is no mount point yet.
        mount(Some(NETNS_DIR), NETNS_DIR, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)?;
        mount(None::<&str>, NETNS_DIR, None::<&str>, shared, None::<&str>)?;
    }
    Ok(())
}

fn mount_fresh(kind: &str, target: &str, options: Option<&str>) -> Result<()> {
    mount(Some(kind), target, Some(kind), MsFlags::empty(), options)
        .with_context(|| format!("mount a fresh {kind} on {target}"))
}

/// A network namespace, held open: it lives at least as long as this handle.
#[derive(Debug)]
pub struct NetNs {
    name: String,
    file: File,
}

impl NetNs {
    /// The namespace of that name in [`NETNS_DIR`], whoever made it.
    ///
    /// # Errors
    /// When there is none.
    pub fn open(name: &str) -> Result<Self> {
        let path = Path::new(NETNS_DIR).join(name);
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        Ok(Self { name: name.to_owned(), file })
    }

    /// The network namespace in which the calling thread is now.
    ///
    /// # Errors
    /// When `/proc` cannot be read.
    pub fn current() -> io::Result<Self> {
        // Not /proc/self: that is the process's first thread, which is not in the sandbox.
        let file = File::open("/proc/thread-self/ns/net")?;
        Ok(Self { name: String::new(), file })
    }

    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a closure in this namespace, on a thread of its own, and hands back what it returns. A panic goes on in
    /// the caller.
    ///
    /// # Errors
    /// When the kernel does not let the thread in.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T> {
        let outcome = thread::scope(|scope| {
            scope
                .spawn(|| {
                    setns(&self.file, CloneFlags::CLONE_NEWNET)?;
                    Ok::<T, nix::Error>(work())
                })
                .join()
        });
        match outcome {
            Ok(result) => result.with_context(|| format!("enter network namespace `{}`", self.name)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Removes the name, as `ip netns del`. The namespace itself goes when nothing holds it any more.
    ///
    /// # Errors
    /// When the name is gone already.
    pub fn delete(self) -> Result<()> {
        let path: PathBuf = Path::new(NETNS_DIR).join(&self.name);
        umount2(&path, MntFlags::MNT_DETACH).with_context(|| format!("unmount {}", path.display()))?;
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
    }
}

/// Runs a closure in the named network namespace; see [`NetNs::run`].
///
/// # Errors
/// When there is no such namespace, or the kernel does not let the thread in.
pub fn in_ns<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> Result<T> {
    NetNs::open(name)?.run(work)
}

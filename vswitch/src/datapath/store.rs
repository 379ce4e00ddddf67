//! Where the switches are: directories in bpffs.
//!
//! `<bpffs>/vswitch/v<ABI>/<switch>/{maps,progs,links}`, mode 0700. The roots of bpffs mounts are often writable by
//! everybody, so a directory that is a symbolic link or not root's is refused. A switch that is being made or removed
//! has a `~` in its name, which no switch can have; what a killed process left of one is removed by the next writer.

use std::{
    env, fs, io,
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
};

use nix::{
    fcntl::{Flock, FlockArg},
    sys::statfs::{BPF_FS_MAGIC, statfs},
    unistd::geteuid,
};
use vswitch_common::ABI_VERSION;

use super::DatapathError;
use crate::name::SwitchName;

const DEFAULT_BPFFS: &str = "/sys/fs/bpf";
const MAKING: &str = "~new";
const REMOVING: &str = "~old";

/// All switches of one bpffs mount.
#[derive(Debug)]
pub struct Store {
    root: PathBuf,
}

/// The right to change something; one process has it at a time.
#[derive(Debug)]
pub struct WriteLock {
    _held: Flock<fs::File>,
}

impl Store {
    /// The switches of the mount that `VSWITCH_BPFFS` names, else of `/sys/fs/bpf`.
    ///
    /// # Errors
    /// When no bpffs is mounted there, or the state directory is not trustworthy.
    pub fn open() -> Result<Self, DatapathError> {
        let mount = env::var_os("VSWITCH_BPFFS").map_or_else(|| PathBuf::from(DEFAULT_BPFFS), PathBuf::from);
        let is_bpffs = statfs(&mount).is_ok_and(|fs| fs.filesystem_type() == BPF_FS_MAGIC);
        if !is_bpffs {
            if !geteuid().is_root()
                && fs::metadata(&mount).is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied)
            {
                return Err(DatapathError::Privilege { what: "using the state directory in bpffs" });
            }
            return Err(DatapathError::NoBpffs(mount));
        }
        let top = mount.join("vswitch");
        let root = top.join(format!("v{ABI_VERSION}"));
        for directory in [&top, &root] {
            check_directory(directory)?;
        }
        Ok(Self { root })
    }

    /// Takes the exclusive lock, waiting for whoever has it, and clears away what killed writers left half-made.
    ///
    /// # Errors
    /// When the caller lacks a capability that changes need: nothing must fail half-way for that reason.
    pub fn lock(&self) -> Result<WriteLock, DatapathError> {
        check_capabilities()?;
        let held = loop {
            if let Some(top) = self.root.parent() {
                make_directory(top)?;
            }
            make_directory(&self.root)?;
            let file = fs::File::open(&self.root).map_err(|e| DatapathError::state("open", &self.root, e))?;
            let held = Flock::lock(file, FlockArg::LockExclusive)
                .map_err(|(_, errno)| DatapathError::state("lock", &self.root, errno.into()))?;
            // The one who had it may have removed the directory together with the last switch.
            let locked = held.metadata().map_err(|e| DatapathError::state("look at", &self.root, e))?;
            if fs::symlink_metadata(&self.root).is_ok_and(|now| now.ino() == locked.ino()) {
                break held;
            }
        };
        for name in self.entries()? {
            if name.contains('~') {
                remove_tree(&self.root.join(&name))?;
            }
        }
        Ok(WriteLock { _held: held })
    }

    /// The names of all switches, sorted.
    pub fn switches(&self) -> Result<Vec<SwitchName>, DatapathError> {
        let mut names: Vec<SwitchName> =
            self.entries()?.iter().filter_map(|name| name.parse().ok()).collect();
        names.sort();
        Ok(names)
    }

    /// Whether a switch exists.
    pub fn has(&self, name: &SwitchName) -> bool {
        self.directory(name).is_dir()
    }

    /// A switch's directory; an error that lists the ones there are if it does not exist.
    pub fn find(&self, name: &SwitchName) -> Result<PathBuf, DatapathError> {
        let directory = self.directory(name);
        match fs::symlink_metadata(&directory) {
            Ok(_) => Ok(directory),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let remedy = match self.switches()?.as_slice() {
                    [] => format!("make it with `vswitch switch add {name}`"),
                    some => format!("there {} {}", if some.len() == 1 { "is" } else { "are" }, quoted(some)),
                };
                Err(DatapathError::NoSwitch { name: name.to_string(), remedy })
            }
            Err(e) => Err(DatapathError::state("look at", directory, e)),
        }
    }

    /// Makes the directories of a new switch under a temporary name. [`Store::publish`] gives it its own.
    pub fn prepare(&self, name: &SwitchName, _lock: &WriteLock) -> Result<PathBuf, DatapathError> {
        if self.has(name) {
            return Err(DatapathError::SwitchExists(name.to_string()));
        }
        let directory = self.root.join(format!("{name}{MAKING}"));
        for part in
            [directory.clone(), directory.join("maps"), directory.join("progs"), directory.join("links")]
        {
            make_directory(&part)?;
        }
        Ok(directory)
    }

    /// Lets a prepared switch appear, whole.
    pub fn publish(&self, name: &SwitchName, prepared: &Path) -> Result<PathBuf, DatapathError> {
        let directory = self.directory(name);
        fs::rename(prepared, &directory).map_err(|e| DatapathError::state("rename", prepared, e))?;
        Ok(directory)
    }

    /// Removes what was prepared.
    pub fn discard(&self, prepared: &Path) -> Result<(), DatapathError> {
        remove_tree(prepared)?;
        self.tidy()
    }

    /// Leaves nothing behind when there is no switch. A second writer that waits for the lock makes it again.
    fn tidy(&self) -> Result<(), DatapathError> {
        if self.entries()?.is_empty() {
            let _kept =
                fs::remove_dir(&self.root).and_then(|()| self.root.parent().map_or(Ok(()), fs::remove_dir));
        }
        Ok(())
    }

    /// Lets a switch disappear: its links detach, its maps and programs go with their last pin.
    pub fn remove(&self, name: &SwitchName, _lock: &WriteLock) -> Result<(), DatapathError> {
        let directory = self.find(name)?;
        let removing = self.root.join(format!("{name}{REMOVING}"));
        fs::rename(&directory, &removing).map_err(|e| DatapathError::state("rename", &directory, e))?;
        remove_tree(&removing)?;
        self.tidy()
    }

    fn directory(&self, name: &SwitchName) -> PathBuf {
        self.root.join(name.as_str())
    }

    fn entries(&self) -> Result<Vec<String>, DatapathError> {
        let list = match fs::read_dir(&self.root) {
            Ok(list) => list,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(DatapathError::state("read", &self.root, e)),
        };
        Ok(list.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).collect())
    }
}

fn quoted(names: &[SwitchName]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// A directory that exists must be a real one, root's, and closed to everybody else.
fn check_directory(path: &Path) -> Result<(), DatapathError> {
    let meta = match fs::symlink_metadata(path) {
        Ok(meta) => meta,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(DatapathError::state("look at", path, e)),
    };
    let cause = if meta.file_type().is_symlink() {
        "is a symbolic link".to_owned()
    } else if !meta.is_dir() {
        "is not a directory".to_owned()
    } else if meta.uid() != 0 {
        format!("belongs to user {}", meta.uid())
    } else if meta.mode() & 0o077 != 0 {
        format!("has mode {:03o} where 700 is required", meta.mode() & 0o777)
    } else {
        return Ok(());
    };
    Err(DatapathError::Untrusted { path: path.to_owned(), cause })
}

fn make_directory(path: &Path) -> Result<(), DatapathError> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => check_directory(path),
        Err(e) => Err(DatapathError::state("make", path, e)),
    }
}

/// `CAP_NET_ADMIN` and `CAP_SYS_ADMIN`, as bits of a capability set. The latter includes `CAP_BPF`.
const NEEDED: u64 = 1 << 12 | 1 << 21;

fn check_capabilities() -> Result<(), DatapathError> {
    let path = "/proc/thread-self/status";
    let status = fs::read_to_string(path).map_err(|e| DatapathError::state("read", path, e))?;
    let effective = status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|set| u64::from_str_radix(set.trim(), 16).ok())
        .unwrap_or(0);
    if effective & NEEDED == NEEDED {
        Ok(())
    } else {
        Err(DatapathError::Privilege { what: "changing a switch" })
    }
}

fn remove_tree(path: &Path) -> Result<(), DatapathError> {
    match fs::remove_dir_all(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(DatapathError::state("remove", path, e)),
        _ => Ok(()),
    }
}

//! What there is: links, namespaces and BPF objects, before, during and after.

use std::{
    collections::BTreeSet,
    env, fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use nix::net::if_::if_nameindex;

use super::{
    bpf::{self, Kind, Object},
    screen,
};
use crate::sandbox::{NETNS_DIR, NetNs};

/// The kernel frees some objects a moment after their last user is gone.
const SETTLE: Duration = Duration::from_secs(5);

/// Counts in reach of the calling thread.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Census {
    links: usize,
    namespaces: usize,
    pins: usize,
    objects: BTreeSet<Object>,
}

impl Census {
    /// Counts the links here and in all named namespaces, these, everything pinned, and the BPF objects that the
    /// pins lead to.
    ///
    /// # Errors
    /// When something cannot be read.
    pub fn take() -> Result<Self> {
        let names = match fs::read_dir(NETNS_DIR) {
            Ok(entries) => entries.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error).context(NETNS_DIR),
        };
        let mut links = count_links()?;
        for name in &names {
            links += NetNs::open(&name.to_string_lossy())?.run(count_links)??;
        }
        let (mut pins, mut objects) = (0, BTreeSet::new());
        walk(&bpffs(), &mut |path| {
            match bpf::pinned(path) {
                Ok(found) => {
                    pins += 1;
                    objects.extend(found);
                }
                // A fresh bpffs shows entries of the kernel's own, behind which there may be nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error).with_context(|| path.display().to_string()),
            }
            Ok(())
        })?;
        Ok(Self { links, namespaces: names.len(), pins, objects })
    }

    /// The state after, once the kernel has freed what was freed: no object of the time in between is left that was
    /// not there before, whether a pin still leads to it or not.
    ///
    /// # Errors
    /// As [`Self::take`]. What is left after some seconds is no error but part of the result.
    pub fn settle(before: &Self, during: &Self) -> Result<Self> {
        let deadline = Instant::now() + SETTLE;
        loop {
            let mut after = Self::take()?;
            for &object in &during.objects {
                if bpf::exists(object).context("ask for BPF objects")? {
                    after.objects.insert(object);
                }
            }
            if after.is_like(before) || Instant::now() > deadline {
                return Ok(after);
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Whether the same is there.
    pub fn is_like(&self, other: &Self) -> bool {
        self == other
    }

    fn objects(&self, kind: Kind) -> usize {
        self.objects.iter().filter(|object| object.0 == kind).count()
    }
}

/// Shows the three side by side.
pub fn show(before: &Census, during: &Census, after: &Census) {
    let row = |name: &str, count: &dyn Fn(&Census) -> usize| {
        let counts = [before, during, after].map(|census| count(census).to_string());
        [name.to_owned()].into_iter().chain(counts).collect::<Vec<_>>()
    };
    let rows = [
        row("network interfaces", &|census| census.links),
        row("network namespaces", &|census| census.namespaces),
        row("BPF programs", &|census| census.objects(Kind::Program)),
        row("BPF maps", &|census| census.objects(Kind::Map)),
        row("BPF links", &|census| census.objects(Kind::Link)),
        row("pins in bpffs", &|census| census.pins),
    ];
    screen::table(&["", "before", "with the switch", "after"], &rows);
}

fn count_links() -> Result<usize> {
    Ok(if_nameindex().context("list the interfaces")?.iter().count())
}

/// The mount that the `vswitch` commands use.
fn bpffs() -> PathBuf {
    env::var_os("VSWITCH_BPFFS").map_or_else(|| PathBuf::from("/sys/fs/bpf"), PathBuf::from)
}

/// Visits every file of a tree.
fn walk(dir: &Path, visit: &mut dyn FnMut(&Path) -> Result<()>) -> Result<()> {
    for entry in dir.read_dir().with_context(|| format!("list {}", dir.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, visit)?;
        } else {
            visit(&path)?;
        }
    }
    Ok(())
}

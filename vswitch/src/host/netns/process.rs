//! Which process is in which namespace.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    fs,
    os::unix::fs::MetadataExt,
};

use super::{HostError, Netns, list};
use crate::name::NsName;

/// The processes of one namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProcessSpace {
    /// Device and inode number of the namespace.
    pub inode: (u64, u64),
    /// Its processes, lowest number first.
    pub pids: Vec<u32>,
}

/// All namespaces that have processes, by one walk over `/proc`. Without `CAP_SYS_PTRACE` only the caller's own
/// processes are seen.
pub fn process_spaces() -> Result<Vec<ProcessSpace>, HostError> {
    let entries = fs::read_dir("/proc")
        .map_err(|source| HostError::System { doing: "list the processes".into(), source })?;
    let mut spaces: BTreeMap<(u64, u64), Vec<u32>> = BTreeMap::new();
    for entry in entries.filter_map(Result::ok) {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        // Processes end while we look, and kernel threads and foreign processes may be hidden.
        let Ok(space) = fs::metadata(entry.path().join("ns/net")) else {
            continue;
        };
        match spaces.entry((space.dev(), space.ino())) {
            Entry::Vacant(vacant) => drop(vacant.insert(vec![pid])),
            Entry::Occupied(mut known) => known.get_mut().push(pid),
        }
    }
    let spaces = spaces.into_iter().map(|(inode, mut pids)| {
        pids.sort_unstable();
        ProcessSpace { inode, pids }
    });
    Ok(spaces.collect())
}

/// The processes in a namespace, lowest number first.
pub fn pids(ns: &Netns) -> Result<Vec<u32>, HostError> {
    let inode = ns.inode()?;
    let space = process_spaces()?.into_iter().find(|space| space.inode == inode);
    Ok(space.map(|space| space.pids).unwrap_or_default())
}

/// All names of a namespace: none, one, or several if it was attached more than once.
pub fn identify(ns: &Netns) -> Result<Vec<NsName>, HostError> {
    let inode = ns.inode()?;
    let same =
        |name: &NsName| Netns::named(name).and_then(|other| other.inode()).is_ok_and(|other| other == inode);
    Ok(list()?.into_iter().filter(same).collect())
}

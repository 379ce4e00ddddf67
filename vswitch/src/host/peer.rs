//! Which namespace a number means, and what is in it: how the other end of a cable is found.

use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

use super::{
    Host, HostError, Link,
    netns::{self, Netns},
};
use crate::name::NsName;

/// A namespace, and how people can refer to it.
#[derive(Clone, Debug)]
pub struct Place {
    /// Device and inode number.
    pub inode: (u64, u64),
    /// Its name, if it has one.
    pub name: Option<NsName>,
    /// A process in it, if it has no name and has been searched for.
    pub pid: Option<u32>,
    /// Whether it is the one that we are in.
    is_current: bool,
}

impl Place {
    /// Opens the namespace. It is not kept open: there may be more namespaces than descriptors.
    pub fn open(&self) -> Result<Netns, HostError> {
        match (&self.name, self.pid) {
            _ if self.is_current => Netns::current(),
            (Some(name), _) => Netns::named(name),
            (None, Some(pid)) => Netns::of_pid(pid),
            (None, None) => Netns::current(),
        }
    }
}

/// All namespaces that we can find: our own, those with a name, and those of processes.
#[derive(Debug)]
pub struct Atlas {
    places: Vec<Place>,
    /// The links of the places that were looked into.
    links: BTreeMap<(u64, u64), Vec<Link>>,
    walked: bool,
}

impl Atlas {
    /// Our own namespace and those with a name. Those of processes are searched for when they are needed.
    pub fn new() -> Result<Self, HostError> {
        let current = Netns::current()?.inode()?;
        let mut places = vec![Place { inode: current, name: None, pid: None, is_current: true }];
        for name in netns::list()? {
            // A name may be a left-over without a namespace, or vanish while we look.
            let Ok(inode) = Netns::named(&name).and_then(|ns| ns.inode()) else {
                continue;
            };
            match places.iter_mut().find(|place| place.inode == inode) {
                Some(known) => drop(known.name.get_or_insert(name)),
                None => places.push(Place { inode, name: Some(name), pid: None, is_current: false }),
            }
        }
        Ok(Self { places, links: BTreeMap::new(), walked: false })
    }

    /// Our own namespace and those with a name.
    pub fn named(&self) -> Vec<Place> {
        self.places.iter().filter(|place| place.is_current || place.name.is_some()).cloned().collect()
    }

    /// Finds the namespaces that another one refers to by these numbers. A number whose namespace has neither a name
    /// nor a process, or may not be looked at, stays unknown.
    pub async fn resolve(
        &mut self,
        host: &Host,
        nsids: impl IntoIterator<Item = i32>,
    ) -> Result<BTreeMap<i32, Place>, HostError> {
        let mut wanted: BTreeSet<i32> = nsids.into_iter().collect();
        let mut found = BTreeMap::new();
        let mut next = 0;
        while !wanted.is_empty() {
            if next == self.places.len() && !self.walk()? {
                break;
            }
            let Some(place) = self.places.get(next) else {
                continue;
            };
            next += 1;
            let Ok(ns) = place.open() else { continue };
            if let Some(nsid) = host.nsid_of(&ns).await?
                && wanted.remove(&nsid)
            {
                found.insert(nsid, next - 1);
            }
        }
        if found.values().any(|index| self.is_anonymous(*index)) {
            self.walk()?;
        }
        Ok(found.into_iter().map(|(nsid, index)| (nsid, self.places[index].clone())).collect())
    }

    fn is_anonymous(&self, index: usize) -> bool {
        let Place { name, pid, .. } = &self.places[index];
        name.is_none() && pid.is_none()
    }

    /// Adds the namespaces of processes; says whether that was news.
    fn walk(&mut self) -> Result<bool, HostError> {
        if self.walked {
            return Ok(false);
        }
        self.walked = true;
        for space in netns::process_spaces()? {
            let pid = space.pids.first().copied();
            match self.places.iter_mut().find(|place| place.inode == space.inode) {
                Some(known) if known.name.is_none() => known.pid = pid,
                Some(_) => {}
                None => self.places.push(Place { inode: space.inode, name: None, pid, is_current: false }),
            }
        }
        Ok(true)
    }

    /// The links in a place, looked up once; none if we may not look or it is gone.
    pub async fn links(&mut self, place: &Place) -> Result<&[Link], HostError> {
        match self.links.entry(place.inode) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let links = match place.open().and_then(|ns| Host::at(&ns)) {
                    Ok(there) => there.links().await?,
                    Err(error) if error.is_absent() || matches!(error, HostError::NoPrivilege { .. }) => {
                        Vec::new()
                    }
                    Err(error) => return Err(error),
                };
                Ok(unknown.insert(links))
            }
        }
    }
}

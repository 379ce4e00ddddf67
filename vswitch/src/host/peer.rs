//! Which namespace a number means, and what is in it: how the other end of a cable is found.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Host, HostError, Link,
    netns::{self, Netns},
};
use crate::name::NsName;

/// A namespace, and how people can refer to it.
#[derive(Debug)]
pub struct Place {
    /// The namespace.
    pub ns: Netns,
    /// Its name, if it has one.
    pub name: Option<NsName>,
    /// A process in it, if it has no name.
    pub pid: Option<u32>,
    /// Its links; empty if they may not be looked at.
    links: Vec<Link>,
}

impl Place {
    /// The name, else `pid:N`.
    pub fn label(&self) -> String {
        match (&self.name, self.pid) {
            (Some(name), _) => name.to_string(),
            (None, Some(pid)) => format!("pid:{pid}"),
            (None, None) => self.ns.to_string(),
        }
    }

    /// The link with this index.
    pub fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }
}

/// The namespaces that the links of one namespace lead to, by the numbers that are used there.
#[derive(Debug, Default)]
pub struct Atlas {
    places: BTreeMap<i32, Place>,
}

impl Atlas {
    /// Finds the namespaces with these numbers: those with a name in `/run/netns`, then those of processes. A number
    /// whose namespace has neither, or may not be looked at, stays unknown.
    pub async fn around(host: &Host, nsids: impl IntoIterator<Item = i32>) -> Result<Self, HostError> {
        let mut wanted: BTreeSet<i32> = nsids.into_iter().collect();
        let mut atlas = Self::default();
        if !wanted.is_empty() {
            for name in netns::list()? {
                // A name may be a left-over without a namespace, or vanish while we look.
                let Ok(ns) = Netns::named(&name) else { continue };
                atlas.visit(host, &mut wanted, ns, Some(name), None).await?;
            }
        }
        if !wanted.is_empty() {
            for space in netns::process_spaces()? {
                let Some(&pid) = space.pids.first() else { continue };
                let Ok(ns) = Netns::of_pid(pid) else { continue };
                atlas.visit(host, &mut wanted, ns, None, Some(pid)).await?;
            }
        }
        Ok(atlas)
    }

    async fn visit(
        &mut self,
        host: &Host,
        wanted: &mut BTreeSet<i32>,
        ns: Netns,
        name: Option<NsName>,
        pid: Option<u32>,
    ) -> Result<(), HostError> {
        let Some(nsid) = host.nsid_of(&ns).await? else {
            return Ok(());
        };
        if wanted.remove(&nsid) {
            let links = match Host::at(&ns) {
                Ok(there) => there.links().await?,
                Err(HostError::NoPrivilege { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
            self.places.insert(nsid, Place { ns, name, pid, links });
        }
        Ok(())
    }

    /// The namespace with this number.
    pub fn place(&self, nsid: i32) -> Option<&Place> {
        self.places.get(&nsid)
    }
}

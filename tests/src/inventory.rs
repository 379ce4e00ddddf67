//! What there is in a sandbox: links, namespaces and pinned objects. Two inventories are equal when nothing changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use crate::{
    iproute::ip_json,
    sandbox::{self, NetNs},
};

/// The links of every namespace in reach, and the tree of bpffs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inventory {
    links: BTreeMap<String, Vec<String>>,
    pins: Vec<String>,
}

impl Inventory {
    /// Of the calling thread's sandbox.
    ///
    /// # Panics
    /// When it cannot be read.
    pub fn take() -> Self {
        let mut links = BTreeMap::from([(String::new(), links())]);
        if let Ok(directory) = fs::read_dir(sandbox::NETNS_DIR) {
            for entry in directory {
                let name = entry.expect("entry").file_name().to_string_lossy().into_owned();
                // A file without a namespace is an inventory item too.
                let inside = NetNs::open(&name).and_then(|namespace| namespace.run(links_of_thread));
                links.insert(name, inside.unwrap_or_else(|error| vec![format!("no namespace: {error}")]));
            }
        }
        let mut pins = Vec::new();
        walk(Path::new("/sys/fs/bpf"), &mut pins);
        pins.sort();
        Self { links, pins }
    }

    /// The links of every namespace; the namespace of the calling thread is the one without a name.
    pub fn links(&self) -> &BTreeMap<String, Vec<String>> {
        &self.links
    }

    /// What is different in another one: gone with `-`, new with `+`.
    pub fn changes(&self, other: &Self) -> Vec<String> {
        let lines = |inventory: &Self| -> BTreeSet<String> {
            let links = inventory.links.iter();
            let links = links
                .flat_map(|(namespace, links)| links.iter().map(move |link| format!("{namespace}: {link}")));
            let namespaces = inventory.links.keys().map(|name| format!("namespace {name}"));
            links.chain(namespaces).chain(inventory.pins.iter().cloned()).collect()
        };
        let (before, after) = (lines(self), lines(other));
        let gone = before.difference(&after).map(|line| format!("- {line}"));
        let new = after.difference(&before).map(|line| format!("+ {line}"));
        gone.chain(new).collect()
    }

    /// Whether the state of any switch is pinned.
    pub fn has_switches(&self) -> bool {
        self.pins.iter().any(|path| path.contains("/vswitch/v1/"))
    }
}

fn links_of_thread() -> Vec<String> {
    links()
}

/// Name, kind, state flags, master, address, MTU of every link; not what changes with every frame.
fn links() -> Vec<String> {
    ip_json(&["-d", "address"])
        .iter()
        .map(|link| {
            let part = |name: &str| link[name].to_string();
            let addresses: Vec<String> = link["addr_info"].as_array().map_or_else(Vec::new, |list| {
                // Link-local ones come by themselves, some time after the link.
                let lasting = list.iter().filter(|address| address["scope"] != "link");
                lasting.map(|address| address["local"].to_string()).collect()
            });
            format!(
                "{} {} {} {} {} {} promiscuity {} {addresses:?}",
                part("ifindex"),
                part("ifname"),
                part("flags"),
                part("master"),
                part("address"),
                part("mtu"),
                part("promiscuity"),
            )
        })
        .collect()
}

fn walk(directory: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(directory) else {
        return;
    };
    for entry in entries.flatten() {
        found.push(entry.path().display().to_string());
        walk(&entry.path(), found);
    }
}

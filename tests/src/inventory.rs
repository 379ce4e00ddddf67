//! What there is in a sandbox: links, namespaces and pinned objects. Two inventories are equal when nothing changed.

use std::{collections::BTreeMap, fs, path::Path};

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
                links.insert(
                    name,
                    inside.unwrap_or_else(|error| vec![format!("no namespace: {error}")]),
                );
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
                list.iter().map(|address| address["local"].to_string()).collect()
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

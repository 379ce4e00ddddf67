//! Two namespaces with one address each, connected in one of three ways.

use std::net::Ipv4Addr;

use vswitch_tests::{
    device,
    iproute::ip,
    sandbox::{NetNs, Sandbox},
    vswitch::Cli,
};

/// What is between the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// One veth pair from namespace to namespace: the ceiling.
    Direct,
    /// The Linux bridge, netfilter hooks, snooping and spanning tree off.
    Bridge,
    /// The product.
    Vswitch,
}

impl Way {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Direct, Self::Bridge, Self::Vswitch];

    /// Its name in the report.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct veth",
            Self::Bridge => "bridge",
            Self::Vswitch => "vswitch",
        }
    }
}

/// Two connected namespaces.
#[derive(Debug)]
pub struct Pair {
    /// What connects them.
    pub way: Way,
    /// The namespaces.
    pub ends: [NetNs; 2],
    /// Their addresses.
    pub addresses: [Ipv4Addr; 2],
}

impl Pair {
    /// Connects two new namespaces.
    ///
    /// # Panics
    /// When the kernel or the product refuses.
    pub fn new(sandbox: &Sandbox, way: Way) -> Self {
        let (letter, number) = match way {
            Way::Direct => ('d', 1),
            Way::Bridge => ('b', 2),
            Way::Vswitch => ('v', 3),
        };
        let names = [1, 2].map(|end| format!("{letter}{end}"));
        let addresses = [1, 2].map(|end| Ipv4Addr::new(10, 9, number, end));
        let ends = [0, 1].map(|end| {
            let namespace = sandbox.netns(&names[end]).expect("namespace");
            namespace.run(device::no_ipv6).expect("enter");
            namespace
        });
        device::no_ipv6();
        let pair = Self { way, ends, addresses };
        pair.connect(&names);
        pair.know_each_other(&names);
        pair
    }

    fn connect(&self, names: &[String; 2]) {
        let cidr = self.addresses.map(|address| format!("{address}/24"));
        let finish = |end: usize| {
            ip(&["-n", &names[end], "address", "add", &cidr[end], "dev", "eth0"]);
            ip(&["-n", &names[end], "link", "set", "eth0", "up"]);
        };
        match self.way {
            Way::Direct => {
                let [one, two] = names;
                ip(&["-n", one, "link", "add", "eth0", "type", "veth", "peer", "name", "eth0", "netns", two]);
                finish(0);
                finish(1);
            }
            Way::Bridge => {
                let options = ["stp_state", "0", "mcast_snooping", "0", "nf_call_iptables", "0"];
                ip(&[&["link", "add", "bridge", "type", "bridge"], &options[..]].concat());
                ip(&["link", "set", "bridge", "up"]);
                for (end, name) in names.iter().enumerate() {
                    ip(&["link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name]);
                    ip(&["link", "set", name, "master", "bridge", "up"]);
                    finish(end);
                }
            }
            Way::Vswitch => {
                let cli = Cli::find();
                cli.ok(&["switch", "add", "bench"]);
                for (name, cidr) in names.iter().zip(&cidr) {
                    cli.ok(&["port", "add", "bench", name, "--netns", name, "--ip", cidr]);
                }
            }
        }
    }

    /// Static neighbours, so that no address resolution is measured.
    fn know_each_other(&self, names: &[String; 2]) {
        for (end, other) in [(0, 1), (1, 0)] {
            let mac = self.ends[other].run(mac_here).expect("enter");
            let address = self.addresses[other].to_string();
            ip(&[
                "-n",
                &names[end],
                "neigh",
                "replace",
                &address,
                "lladdr",
                &mac,
                "dev",
                "eth0",
                "nud",
                "permanent",
            ]);
        }
    }
}

fn mac_here() -> String {
    let links = vswitch_tests::iproute::ip_json(&["link", "show", "eth0"]);
    links[0]["address"].as_str().unwrap_or_default().to_owned()
}

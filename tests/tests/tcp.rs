//! TCP between namespaces: every byte arrives, and no checksum is ever wrong.
//!
//! `VSWITCH_TCP_BYTES` sets how much is sent; the default is 2 GB.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{env, net::Ipv4Addr};

use vswitch_tests::{
    iproute::ip,
    on_both,
    sandbox::{NetNs, Sandbox},
    topology::Kind,
    transfer,
    vswitch::Cli,
};

on_both!(mtu_1500, mtu_9000, without_offloads);

fn bytes() -> u64 {
    env::var("VSWITCH_TCP_BYTES").map_or(2_000_000_000, |text| text.parse().expect("a number of bytes"))
}

fn address(number: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 0, 0, number)
}

/// Two namespaces, `n1` and `n2`, with 10.0.0.1 and 10.0.0.2 on `eth0`.
fn pair(sandbox: &Sandbox, kind: Kind, mtu: &str) -> [NetNs; 2] {
    if kind == Kind::Vswitch {
        Cli::find().ok(&["switch", "add", "lab"]);
    } else {
        ip(&["link", "add", "lab", "type", "bridge", "stp_state", "0", "mcast_snooping", "0"]);
        ip(&["link", "set", "lab", "up"]);
    }
    [1, 2].map(|number| {
        let name = format!("n{number}");
        let port = format!("p{number}");
        let cidr = format!("{}/24", address(number));
        if kind == Kind::Vswitch {
            Cli::find().ok(&["port", "add", "lab", &port, "--netns", &name, "--ip", &cidr, "--mtu", mtu]);
            return NetNs::open(&name).unwrap();
        }
        let namespace = sandbox.netns(&name).unwrap();
        let peer = ["peer", "name", "eth0", "netns", &name, "mtu", mtu];
        ip(&[&["link", "add", &port, "mtu", mtu, "type", "veth"], &peer[..]].concat());
        ip(&["link", "set", &port, "master", "lab", "up"]);
        ip(&["-n", &name, "address", "add", &cidr, "dev", "eth0"]);
        ip(&["-n", &name, "link", "set", "eth0", "up"]);
        namespace
    })
}

fn both_ways(namespaces: &[NetNs; 2], bytes: u64) {
    let [one, two] = namespaces;
    let there = transfer::tcp(one, two, address(2), bytes).unwrap();
    let back = transfer::tcp(two, one, address(1), bytes / 4).unwrap();
    for namespace in namespaces {
        assert_eq!(transfer::checksum_errors(namespace).unwrap(), []);
    }
    println!("{bytes} bytes in {there:?}, a quarter of them back in {back:?}");
}

fn mtu_1500(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    both_ways(&pair(&sandbox, kind, "1500"), bytes());
}

fn mtu_9000(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let namespaces = pair(&sandbox, kind, "9000");
    assert!(namespaces[0].run(|| ip(&["link", "show", "eth0"])).unwrap().contains("mtu 9000"));
    both_ways(&namespaces, bytes());
}

/// With every packet of MTU size and every checksum computed, as a guest without offloads has it.
fn without_offloads(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let namespaces = pair(&sandbox, kind, "1500");
    for namespace in &namespaces {
        namespace.run(|| vswitch_tests::device::offloads_off("eth0").unwrap()).unwrap();
    }
    both_ways(&namespaces, bytes() / 20);
}

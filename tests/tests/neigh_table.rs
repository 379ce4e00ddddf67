//! The table of known neighbours, and stations that believe what the switch answers from it.

use std::fs;

use vswitch_tests::{
    frame::station,
    iproute::ip,
    sandbox::Sandbox,
    state,
    topology::{Kind, Lan},
};

/// What the table says, and that what a port was made with goes with it.
#[test]
fn the_table() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::empty(&sandbox, Kind::Vswitch, "lab", 'a');
    let cli = lan.cli();
    let mac = "02:00:00:00:00:01";
    let add = ["port", "add", "lab", "web", "--netns", "web", "--mac", mac];
    cli.ok(&["neigh", "add", "lab", "10.0.0.3", "02:00:00:00:00:33"]);
    cli.ok(&[&add[..], &["--ip", "10.0.0.2/24", "--ip", "fd00::2/64", "--ip", "10.0.0.3/24"]].concat());
    let table = || {
        let row = |row: &serde_json::Value| {
            let word = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
            let (vlan, router) = (row["vlan"].as_u64().unwrap(), row["router"].as_bool().unwrap());
            format!("{} {} {vlan} {} {} {router}", word("ip"), word("mac"), word("kind"), word("port"))
        };
        cli.rows(&["neigh", "list", "lab"]).iter().map(row).collect::<Vec<_>>()
    };
    let of_port =
        ["10.0.0.2 02:00:00:00:00:01 0 port web false", "fd00::2 02:00:00:00:00:01 0 port web false"];
    // What the user has said comes first.
    let said = "10.0.0.3 02:00:00:00:00:33 0 static - false";
    assert_eq!(table(), [of_port[0], said, of_port[1]]);
    assert!(cli.ok(&["neigh", "list", "lab"]).stdout.contains("10.0.0.2"));
    cli.ok(&["neigh", "add", "lab", "fd00::9", mac, "--router"]);
    let router = "fd00::9 02:00:00:00:00:01 0 static - true";
    assert_eq!(table(), [of_port[0], said, of_port[1], router]);
    let refused = cli.run(&["neigh", "add", "lab", "10.0.0.3", mac]).refused().stderr;
    assert!(refused.contains("02:00:00:00:00:33") && refused.contains("neigh replace"), "{refused}");
    cli.ok(&["neigh", "replace", "lab", "10.0.0.3", mac]);
    cli.ok(&["neigh", "del", "lab", "fd00::9"]);
    assert_eq!(table()[1], "10.0.0.3 02:00:00:00:00:01 0 static - false");
    assert_eq!(cli.json(&["neigh", "flush", "lab"])["removed"], 1);
    assert_eq!(table(), of_port);
    cli.ok(&["switch", "set", "lab", "vlan-filtering=on"]);
    cli.ok(&["neigh", "add", "lab", "10.0.0.2", "02:00:00:00:00:44", "--vlan", "7"]);
    assert_eq!(table()[2], "10.0.0.2 02:00:00:00:00:44 7 static - false");
    assert_eq!(cli.json(&["neigh", "flush", "lab", "--vlan", "8"])["removed"], 0);
    cli.run(&["neigh", "del", "lab", "10.0.0.2", "--vlan", "8"]).refused();
    cli.ok(&["neigh", "del", "lab", "10.0.0.2", "--vlan", "7"]);
    assert_eq!(table(), of_port);
    cli.ok(&["port", "del", "lab", "web"]);
    assert_eq!(table(), [""; 0]);
}

/// Stations with a network stack of their own find each other, and it is the switch who answers.
#[test]
fn a_kernel_believes_the_answer() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::empty(&sandbox, Kind::Vswitch, "lab", 'a');
    let cli = lan.cli();
    for (port, last) in [("web", 1), ("db", 2)] {
        let namespace = sandbox.netns(port).unwrap();
        let detect = "/proc/sys/net/ipv6/conf/default/accept_dad";
        namespace.run(|| fs::write(detect, "0")).unwrap().unwrap();
        let mac = station(last).to_string();
        let (four, six) = (format!("10.0.0.{last}/24"), format!("fd00::{last}/64"));
        let add = ["port", "add", "lab", port, "--netns", port, "--mac", &mac, "--ip", &four, "--ip", &six];
        cli.ok(&add);
    }
    cli.ok(&["fdb", "add", "lab", &station(2).to_string(), "db"]);
    cli.ok(&["port", "set", "lab", "db", "neigh-suppress=on"]);
    // A router that is behind the same port, and answers nothing itself.
    cli.ok(&["neigh", "add", "lab", "fd00::9", &station(2).to_string(), "--router"]);
    for address in ["10.0.0.2", "fd00::2"] {
        ip(&["netns", "exec", "web", "ping", "-c", "1", "-W", "5", address]);
    }
    let neighbours = ip(&["-n", "web", "neigh", "show"]);
    for address in ["10.0.0.2", "fd00::2"] {
        let line =
            neighbours.lines().find(|line| line.starts_with(&format!("{address} "))).unwrap_or_default();
        assert!(line.contains("02:00:00:00:00:02") && line.contains("REACHABLE"), "{neighbours}");
    }
    let count = || state::counters(cli, "lab")["web"].answered;
    assert_eq!(count(), 2);
    // There is nobody to answer the echo, but the address is found.
    let script = "ping -c 1 -W 1 fd00::9; true";
    ip(&["netns", "exec", "web", "sh", "-c", script]);
    let router = ip(&["-n", "web", "neigh", "show", "fd00::9"]);
    assert!(router.contains("02:00:00:00:00:02") && router.contains("router"), "{router}");
    assert_eq!(count(), 3);
    // Without the flag nobody has that address, and the others answer for themselves.
    cli.ok(&["port", "set", "lab", "db", "neigh-suppress=off"]);
    ip(&["-n", "web", "neigh", "flush", "all"]);
    ip(&["netns", "exec", "web", "ping", "-c", "1", "-W", "5", "10.0.0.2"]);
    ip(&["netns", "exec", "web", "sh", "-c", script]);
    let gone = ip(&["-n", "web", "neigh", "show", "fd00::9"]);
    assert!(!gone.contains("02:00:00:00:00:02"), "{gone}");
    assert_eq!(count(), 3);
}

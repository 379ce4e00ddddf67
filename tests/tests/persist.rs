//! The switch is in the kernel: it goes on with no process of ours alive, and any later command finds it again.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{fs, thread, time::Duration};

use vswitch_tests::{
    frame::{Frame, station},
    inventory::Inventory,
    iproute::ip,
    sandbox::{NetNs, Sandbox},
    topology::{Kind, Lan},
    wait,
};

/// Command lines of the processes in the calling thread's network namespace, but for this one.
fn processes_here() -> Vec<String> {
    let here = fs::read_link("/proc/thread-self/ns/net").unwrap();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let path = entry.path();
        let in_here = fs::read_link(path.join("ns/net")).is_ok_and(|namespace| namespace == here);
        if in_here && path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()) {
            found.push(fs::read_to_string(path.join("cmdline")).unwrap_or_default());
        }
    }
    found
}

#[test]
fn forwarding_learning_and_ageing_need_no_process() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.set_ageing(1);
    assert_eq!(processes_here(), Vec::<String>::new());
    // No command is run between these frames: the helper that sends and receives knows nothing of the switch.
    let send = |from: usize, frame: Frame, to: &[usize]| {
        let bytes = frame.build();
        lan.stations[from].wire.send(&bytes).unwrap();
        lan.expect_arrival(&bytes, to, "with no process alive");
    };
    for from in 0..3 {
        send(from, Frame::broadcast(lan.mac(from)), &lan.others(from));
    }
    send(0, Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    send(2, Frame::new(station(0x701), lan.mac(0)), &[0]);
    send(1, Frame::new(lan.mac(1), station(0x701)), &[2]);
    thread::sleep(Duration::from_millis(1300));
    send(0, Frame::new(lan.mac(0), lan.mac(1)), &[1, 2]);
    assert_eq!(processes_here(), Vec::<String>::new());
    lan.counters();
}

/// The thread that made it is gone, and so is every descriptor: what is left is what is pinned.
#[test]
fn a_later_command_finds_everything() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    lan.introduce();
    let cli = lan.cli().clone();
    assert_eq!(cli.rows(&["switch", "list"]).len(), 1);
    let ports = cli.rows(&["port", "list", "lab"]);
    let names: Vec<_> = ports.iter().map(|row| row["port"].as_str().unwrap()).collect();
    assert_eq!(names, ["a1", "a2"]);
    assert_eq!(ports[0]["kind"], "netns");
    assert_eq!(ports[0]["netns"], "a1");
    assert_eq!(ports[0]["peer_ifname"], "eth0");
    assert_eq!(lan.learned().len(), 2);
    cli.ok(&["port", "del", "lab", "a1"]);
    assert_eq!(cli.rows(&["port", "list", "lab"]).len(), 1);
    cli.ok(&["switch", "del", "lab"]);
    assert_eq!(cli.rows(&["switch", "list"]).len(), 0);
}

/// What was made is deleted, and nothing else: not the user's namespace, not a device that was only adopted.
#[test]
fn deleting_the_switch_leaves_what_was_there_before() {
    let sandbox = Sandbox::enter().unwrap();
    let cli = vswitch_tests::vswitch::Cli::find();
    sandbox.netns("mine").unwrap();
    ip(&["link", "add", "dev0", "type", "veth", "peer", "name", "dev1"]);
    ip(&["link", "set", "dev0", "up"]);
    ip(&["link", "set", "dev1", "up"]);
    wait::until("the kernel has announced both", || ip(&["link"]).matches("state UP").count() == 2);
    cli.run(&["switch", "list"]);
    let before = Inventory::take();
    cli.ok(&["switch", "add", "lab"]);
    cli.ok(&["port", "add", "lab", "p1", "--netns", "mine", "--ip", "10.1.0.1/24"]);
    cli.ok(&["port", "add", "lab", "p2", "--netns", "made", "--ip", "10.1.0.2/24"]);
    cli.ok(&["port", "add", "lab", "p3", "--host", "--ip", "10.1.0.3/24"]);
    cli.ok(&["port", "add", "lab", "p4", "--tap"]);
    cli.ok(&["port", "add", "lab", "dev0", "--dev"]);
    assert_eq!(cli.rows(&["port", "list", "lab"]).len(), 5);
    assert_ne!(Inventory::take(), before);
    NetNs::open("made").unwrap();
    cli.ok(&["switch", "del", "lab"]);
    let after = Inventory::take();
    assert!(!after.has_switches());
    assert_eq!(after.links(), before.links());
    assert!(NetNs::open("made").is_err() && NetNs::open("mine").is_ok());
}

/// A namespace that was made for a port goes with the last port that leads into it, on whatever switch.
#[test]
fn a_namespace_goes_with_its_last_port() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = vswitch_tests::vswitch::Cli::find();
    for switch in ["one", "two"] {
        cli.ok(&["switch", "add", switch]);
    }
    cli.ok(&["port", "add", "one", "p1", "--netns", "made"]);
    cli.ok(&["port", "add", "one", "p2", "--netns", "made", "--ifname", "eth1"]);
    cli.ok(&["port", "add", "two", "p3", "--netns", "made", "--ifname", "eth2"]);
    cli.ok(&["port", "del", "one", "p1"]);
    NetNs::open("made").unwrap();
    cli.ok(&["switch", "del", "one"]);
    NetNs::open("made").unwrap();
    cli.ok(&["switch", "del", "two"]);
    assert!(NetNs::open("made").is_err(), "nobody leads into it any more");
    // All ports of one switch at once.
    cli.ok(&["switch", "add", "one"]);
    cli.ok(&["port", "add", "one", "p1", "--netns", "made"]);
    cli.ok(&["port", "add", "one", "p2", "--netns", "made", "--ifname", "eth1"]);
    cli.ok(&["switch", "del", "one"]);
    assert!(NetNs::open("made").is_err(), "both ports went together");
}

/// A port's own removal takes the namespace that it made, and only that.
#[test]
fn deleting_a_port_leaves_the_others() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan.cli().ok(&["port", "add", "lab", "extra", "--netns", "made"]);
    NetNs::open("made").unwrap();
    lan.cli().ok(&["port", "del", "lab", "extra"]);
    assert!(NetNs::open("made").is_err(), "the namespace that the port made is gone");
    NetNs::open("a1").unwrap();
    assert!(!vswitch_tests::iproute::link_exists("extra"));
    // The interface in `made` spoke IPv6 while it was there.
    for station in &lan.stations {
        station.wire.drain().unwrap();
    }
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2]);
}

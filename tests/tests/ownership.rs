//! What is not ours is left alone, however much it looks like ours.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{process::Stdio, time::Duration};

use vswitch_tests::{
    frame::{Frame, station},
    iproute::{ip, link_exists},
    sandbox::{NetNs, Sandbox},
    topology::{Kind, Lan},
    vswitch::Cli,
};

fn index(name: &str) -> String {
    let line = ip(&["-o", "link", "show", name]);
    line.split(':').next().unwrap().trim().to_owned()
}

/// Indices are used anew: a stranger's device with that of a vanished port is neither shown as the port nor deleted.
#[test]
fn a_stranger_with_a_ports_index() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    cli.ok(&["port", "add", "lab", "web", "--netns", "w"]);
    let taken = index("web");
    ip(&["link", "del", "web"]);
    ip(&["link", "add", "name", "mine", "index", &taken, "type", "veth", "peer", "name", "other"]);
    let rows = cli.rows(&["port", "list", "lab"]);
    assert_eq!((&rows[0]["port"], &rows[0]["state"]), (&"web".into(), &"gone".into()));
    cli.run(&["port", "del", "lab", "mine"]).refused();
    cli.ok(&["switch", "del", "lab"]);
    assert!(link_exists("mine") && link_exists("other"));
}

/// A name or a process may lead into the host's own namespace, where nothing can be handed to a peer directly.
#[test]
fn a_port_into_this_very_namespace() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let here = std::process::id().to_string();
    let own = format!("/proc/{here}/task/{}/ns/net", nix::unistd::gettid());
    std::fs::create_dir_all("/run/netns").unwrap();
    std::fs::File::create("/run/netns/me").unwrap();
    nix::mount::mount(
        Some(own.as_str()),
        "/run/netns/me",
        None::<&str>,
        nix::mount::MsFlags::MS_BIND,
        None::<&str>,
    )
    .unwrap();
    cli.ok(&["port", "add", "lab", "a", "--netns", "me", "--ifname", "mine", "--ip", "10.0.0.1/24"]);
    cli.ok(&["port", "add", "lab", "b", "--netns", "w", "--ip", "10.0.0.2/24"]);
    assert_eq!(cli.rows(&["port", "show", "lab", "a"])[0]["redirect"], "dev");
    let listener = std::net::TcpListener::bind("10.0.0.1:7").unwrap();
    let reached = NetNs::open("w")
        .unwrap()
        .run(|| {
            std::net::TcpStream::connect_timeout(&"10.0.0.1:7".parse().unwrap(), Duration::from_secs(5))
                .is_ok()
        })
        .unwrap();
    assert!(reached);
    drop(listener);
    cli.ok(&["switch", "del", "lab"]);
    assert!(NetNs::open("me").is_ok() && NetNs::open("w").is_err());
}

/// An adopted device that its owner moves away takes nothing down with it.
#[test]
fn a_moved_device_harms_nobody() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    lan.introduce();
    sandbox.netns("away").unwrap();
    ip(&["link", "add", "dd0", "type", "veth", "peer", "name", "dd1"]);
    ip(&["link", "set", "dd1", "up"]);
    lan.cli().ok(&["port", "add", "lab", "dd0", "--dev"]);
    ip(&["link", "set", "dd0", "netns", "away"]);
    ip(&["-n", "away", "link", "set", "dd0", "up"]);
    // Whatever it receives there must not change what the switch knows of its own ports.
    for _ in 0..3 {
        ip(&["neigh", "replace", "10.9.9.9", "lladdr", &lan.mac(0).to_string(), "dev", "dd1"]);
        ip(&["address", "replace", "10.9.9.1/24", "dev", "dd1"]);
        let socket = std::net::UdpSocket::bind("10.9.9.1:0").unwrap();
        socket.send_to(b"x", "10.9.9.9:9").unwrap();
    }
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    lan.expect(1, &Frame::broadcast(lan.mac(1)), &[0]);
    for row in lan.cli().rows(&["port", "list", "lab"]) {
        let wanted = if row["port"] == "dd0" { "gone" } else { "forwarding" };
        assert_eq!(row["state"], wanted, "{row}");
    }
}

/// A sticky address that has expired is absent: its station is learned where it speaks.
#[test]
fn an_expired_sticky_address_is_no_obstacle() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.set_ageing(1);
    let mac = station(0x0b);
    lan.cli().ok(&["fdb", "add", "lab", &mac.to_string(), "a1", "--sticky"]);
    lan.expect(1, &Frame::broadcast(mac), &[0, 2]);
    lan.expect(2, &Frame::new(lan.mac(2), mac), &[0]);
    std::thread::sleep(Duration::from_millis(1300));
    lan.expect(1, &Frame::broadcast(mac), &[0, 2]);
    lan.expect(2, &Frame::new(lan.mac(2), mac), &[1]);
}

/// What has expired makes room for what the user adds.
#[test]
fn an_expired_address_makes_room() {
    let sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    cli.ok(&["switch", "add", "small", "fdb-size=16", "ageing=1"]);
    drop(lan);
    cli.ok(&["port", "add", "small", "t0", "--tap"]);
    for last in 0..40 {
        // The tap's own address is one of the sixteen.
        cli.run(&["fdb", "add", "small", &station(0x100 + last).to_string(), "t0", "--sticky"]);
    }
    std::thread::sleep(Duration::from_millis(1300));
    cli.ok(&["fdb", "add", "small", "02:00:00:00:00:01", "t0"]);
}

/// A switch elsewhere is in nobody's way, and can be forgotten when its namespace has ended.
#[test]
fn a_switch_in_another_namespace() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "here"]);
    let binary = cli.command(&[]).get_program().to_owned();
    let made = std::process::Command::new("unshare")
        .args(["-n"])
        .arg(binary)
        .args(["switch", "add", "there"])
        .stdin(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    cli.ok(&["port", "list"]);
    let refused = cli.run(&["switch", "del", "there"]).refused();
    assert!(refused.stderr.contains("--force"), "{refused:?}");
    cli.ok(&["switch", "del", "there", "--force"]);
    assert_eq!(cli.rows(&["switch", "list"]).len(), 1);
}

/// A port whose device is gone makes way for a new one of its name, but not for one that cannot be made.
#[test]
fn a_failed_port_takes_nobodys_place() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    cli.ok(&["port", "add", "lab", "up0", "--netns", "web"]);
    ip(&["link", "add", "d0", "type", "veth", "peer", "name", "d1"]);
    cli.ok(&["port", "add", "lab", "d0", "--dev", "isolated=on", "description=uplink"]);
    cli.ok(&["mirror", "add", "lab", "probe", "--to", "up0", "--port", "d0"]);
    cli.ok(&["port", "set", "lab", "up0", "backup-port=d0"]);
    ip(&["link", "del", "d0"]);
    let before = [cli.json(&["port", "list", "lab"]), cli.json(&["mirror", "list", "lab"])];
    assert_eq!(before[0][1]["state"], "gone");
    cli.run(&["port", "add", "lab", "d0", "--dev"]).refused();
    cli.run(&["port", "add", "lab", "d0", "--netns", "web"]).refused();
    let after = [cli.json(&["port", "list", "lab"]), cli.json(&["mirror", "list", "lab"])];
    for kept in ["port", "kind", "state", "description", "options", "mirrors"] {
        assert_eq!(after[0][1][kept], before[0][1][kept], "{kept}");
    }
    assert_eq!(after[0][0]["backup_port"], before[0][0]["backup_port"]);
    assert_eq!(after[1], before[1]);
    cli.ok(&["port", "add", "lab", "d0", "--tap"]);
    let rows = cli.rows(&["port", "list", "lab"]);
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows.iter().any(|row| row["port"] == "d0" && row["kind"] == "tap" && row["state"] != "gone"));
}

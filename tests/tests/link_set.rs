//! Links are changed as a whole or not at all.
#![expect(clippy::unwrap_used, reason = "a test")]

mod hermit;

use std::{
    thread,
    time::{Duration, Instant},
};

use hermit::without_capability;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::{Value, json};
use vswitch_tests::{
    iproute::{ip, ip_json, link_exists},
    random::Random,
    sandbox::Sandbox,
    vswitch::Cli,
    wait,
};

/// What a refusal must not change.
fn world() -> Vec<Vec<Value>> {
    vec![ip_json(&["-d", "addr"]), ip_json(&["-n", "web", "-d", "addr"]), ip_json(&["route"])]
}

#[test]
fn a_refusal_changes_nothing() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    // Everything stays down, so that no IPv6 address comes or changes by itself.
    ip(&["link", "add", "name", "a", "type", "veth", "peer", "name", "b"]);
    ip(&["addr", "add", "10.0.0.1/24", "dev", "a"]);
    ip(&["link", "add", "name", "br0", "type", "bridge"]);
    ip(&["-n", "web", "link", "add", "name", "b", "type", "veth", "peer", "name", "c"]);
    let before = world();
    let cases: &[(&[&str], &str)] = &[
        (&["add", "veth", "a"], "`a` already exists"),
        (&["add", "veth", "n", "--peer", "a"], "`a` already exists"),
        (&["add", "veth", "n", "--peer", "b", "--peer-netns", "web"], "`b` already exists"),
        (&["add", "veth", "n", "--peer", "n"], "both ends"),
        (&["add", "veth", "n", "--peer-netns", "nope"], "no namespace `nope`"),
        (&["add", "veth", "n", "--mtu", "67"], "use 68 to 65535"),
        (&["add", "veth", "n", "--mtu", "65536"], "use 68 to 65535"),
        (&["add", "veth", "n", "--mtu", "many"], "many"),
        (&["add", "veth", "n", "--mac", "01:00:5e:00:00:01"], "group address"),
        (&["add", "veth", "n", "--mac", "02:00"], "not a MAC address"),
        (&["add", "veth", "n", "--ip", "10.0.0.1"], "prefix length"),
        (&["add", "veth", "n", "--ip", "10.0.0.1/33"], "prefix length"),
        (&["add", "veth", "n", "--ip", "10.9.0.1/24", "--ip", "10.9.0.1/24"], "already has the address"),
        (&["add", "veth", "sixteen-letters-"], "use at most 15"),
        (&["add", "veth", "a/b"], "slash"),
        (&["add", "tap", "a"], "`a` already exists"),
        (&["add", "tap", "t", "--user", "no such user"], "no such user"),
        (&["add", "tap", "t", "--mtu", "10"], "out of range"),
        (&["add", "bridge", "br0"], "`br0` already exists"),
        (&["add", "macvlan", "m", "--parent", "nope"], "no interface `nope`"),
        (&["add", "macvlan", "m", "--parent", "a", "--mode", "l2"], "passthru"),
        (&["del", "nope"], "no interface `nope`"),
        (&["del", "lo"], "cannot delete `lo`"),
        (&["show", "nope"], "no interface `nope`"),
        (&["list", "--netns", "nope"], "no namespace `nope`"),
        (&["set", "a"], "nothing to change"),
        (&["set", "nope", "--up"], "no interface `nope`"),
        (&["set", "a", "--up", "--down"], "cannot be used with"),
        (&["set", "a", "--name", "b"], "`b` already exists"),
        (&["set", "a", "--master", "b"], "takes no ports"),
        (&["set", "a", "--del-ip", "10.0.0.1/16"], "no address `10.0.0.1/16`"),
        (&["set", "a", "--netns", "nope"], "no namespace `nope`"),
        (&["set", "a", "--netns-pid", "4194305"], "no process 4194305"),
        (&["set", "br0", "--netns", "web"], "cannot leave its namespace"),
        (&["set", "b", "--netns", "web", "--mtu", "1400", "--ip", "10.3.0.1/24"], "`b` already exists"),
        // What was done before the step that fails is taken back.
        (
            &[
                "set",
                "a",
                "--name",
                "z",
                "--mtu",
                "1400",
                "--mac",
                "02:00:00:00:00:01",
                "--ip",
                "10.0.0.1/24",
            ],
            "already has",
        ),
        (&["set", "a", "--ip", "10.2.0.1/24", "--master", "br0", "--mtu", "70000"], "use 68 to 65535"),
        (
            &["set", "a", "--del-ip", "10.0.0.1/24", "--ip", "10.2.0.1/24", "--ip", "10.2.0.1/24"],
            "already has",
        ),
    ];
    for (arguments, cause) in cases {
        let output = cli.run(&[&["link"], *arguments].concat()).refused();
        assert!(output.stderr.contains(cause), "{arguments:?}: {}", output.stderr);
        assert_eq!(world(), before, "{arguments:?}");
    }
}

#[test]
fn changes_are_made_together() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["link", "add", "bridge", "br0"]);
    cli.ok(&["link", "add", "veth", "a", "--ip", "10.0.0.1/24"]);
    let changes = [
        "--name",
        "z",
        "--mtu",
        "1400",
        "--mac",
        "02:00:00:00:00:07",
        "--del-ip",
        "10.0.0.1/24",
        "--ip",
        "10.1.0.1/16",
        "--ip",
        "fd00::1/64",
        "--master",
        "br0",
        "--up",
    ];
    cli.ok(&[&["link", "set", "a"], &changes[..]].concat());
    let now = &ip_json(&["addr", "show", "z"])[0];
    assert_eq!(
        (&now["mtu"], &now["address"], &now["master"]),
        (&json!(1400), &json!("02:00:00:00:00:07"), &json!("br0"))
    );
    assert!(now["flags"].as_array().unwrap().contains(&json!("UP")));
    let addresses: Vec<_> =
        now["addr_info"].as_array().unwrap().iter().map(|it| it["local"].clone()).collect();
    assert!(addresses.contains(&json!("10.1.0.1")) && addresses.contains(&json!("fd00::1")), "{addresses:?}");
    assert!(!addresses.contains(&json!("10.0.0.1")));
    assert_eq!(cli.json(&["link", "show", "z"])["master"], "br0");
    cli.ok(&["link", "set", "z", "--no-master", "--down"]);
    let now = cli.json(&["link", "show", "z"]);
    assert_eq!((&now["master"], &now["state"]), (&json!(null), &json!("down")));
}

#[test]
fn a_missing_privilege_is_named() {
    const CAP_NET_ADMIN: libc::c_ulong = 12;
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["link", "add", "veth", "a", "--peer", "b"]);
    let before = ip_json(&["addr"]);
    for arguments in [
        &["link", "add", "veth", "n"] as &[&str],
        &["link", "add", "tap", "n"],
        &["link", "add", "bridge", "n"],
        &["link", "set", "a", "--up"],
        &["link", "set", "a", "--mtu", "1400"],
        &["link", "set", "a", "--ip", "10.0.0.1/24"],
        &["link", "del", "a"],
    ] {
        let output = without_capability(cli.command(arguments), CAP_NET_ADMIN).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said.contains("CAP_NET_ADMIN") && said.lines().count() == 1, "{arguments:?}: {said}");
        assert_eq!(ip_json(&["addr"]), before, "{arguments:?}");
    }
    // Looking takes none.
    let list = without_capability(cli.command(&["link", "list"]), CAP_NET_ADMIN).output().unwrap();
    assert!(list.status.success());
}

/// Starts a command, interrupts it after a while, and waits for its end.
fn interrupted(cli: &Cli, arguments: &[&str], after: Duration) {
    let mut child = cli.spawn(arguments);
    thread::sleep(after);
    let pid = Pid::from_raw(child.id().cast_signed());
    kill(pid, Signal::SIGINT).expect("it was not waited for");
    child.wait().unwrap();
}

#[test]
fn ctrl_c_leaves_the_old_or_the_new_state() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    let begin = Instant::now();
    cli.ok(&["link", "add", "veth", "probe", "--ip", "10.9.0.1/24", "--up"]);
    cli.ok(&["link", "del", "probe"]);
    let two_commands = begin.elapsed();
    let mut random = Random::from_environment();
    let mut outcomes = [0; 2];
    for _ in 0..60 {
        // From before the first system call of the work until after the last one, however busy the machine is.
        let after = two_commands * u32::try_from(random.below(1000)).unwrap() / 1000;
        let pair =
            ["link", "add", "veth", "a", "--peer", "b", "--ip", "10.0.0.1/24", "--ip", "10.1.0.1/24", "--up"];
        interrupted(&cli, &pair, after);
        let new = link_exists("a");
        outcomes[usize::from(new)] += 1;
        if !new {
            assert!(!link_exists("b"));
            continue;
        }
        let state = |place: &[&str]| {
            let row = &ip_json(&[place, &["-4", "addr", "show", "a"]].concat())[0];
            (row["addr_info"].as_array().unwrap().len(), row["flags"].to_string().contains("\"UP\""))
        };
        assert_eq!(state(&[]), (2, true));
        interrupted(&cli, &["link", "set", "a", "--netns", "web", "--mtu", "1300"], after);
        let place: &[&str] = if link_exists("a") { &[] } else { &["-n", "web"] };
        assert_eq!(state(place), (2, true), "{place:?}");
        cli.ok(&["link", "del", "b"]);
        wait::until("the other end is gone", || !ip(&["-n", "web", "link"]).contains(" a@"));
    }
    assert!(outcomes[1] > 0, "no command was given the time to do anything: {outcomes:?}");
}

//! Several commands at once on a switch are serialised, and a command that is interrupted leaves the old state or the
//! new one.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{process::Child, thread, time::Duration};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use vswitch_tests::{
    device,
    frame::Frame,
    inventory::Inventory,
    iproute::{ip, link_exists},
    random::Random,
    sandbox::{NetNs, Sandbox},
    topology::{Kind, Lan},
    vswitch::Cli,
};

/// Exit codes of commands that were started at the same time, with what the failed ones said.
fn finish(children: Vec<Child>) -> Vec<(Option<i32>, String)> {
    children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
        })
        .collect()
}

#[test]
fn ports_added_at_once() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let children = (0..8)
        .map(|number| {
            let name = format!("p{number}");
            cli.spawn(&["port", "add", "lab", &name, "--netns", &name])
        })
        .collect();
    for (code, message) in finish(children) {
        assert_eq!(code, Some(0), "{message}");
    }
    let rows = cli.rows(&["port", "list", "lab"]);
    assert_eq!(rows.len(), 8);
    let children = (0..8).map(|number| cli.spawn(&["port", "del", "lab", &format!("p{number}")])).collect();
    for (code, message) in finish(children) {
        assert_eq!(code, Some(0), "{message}");
    }
    assert_eq!(cli.rows(&["port", "list", "lab"]).len(), 0);
    assert_eq!(ip(&["netns"]), "");
}

#[test]
fn the_same_port_twice_at_once() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    for round in 0..5 {
        let add = ["port", "add", "lab", "p", "--netns", "n"];
        let results = finish(vec![cli.spawn(&add), cli.spawn(&add), cli.spawn(&add)]);
        let (good, bad): (Vec<_>, Vec<_>) = results.into_iter().partition(|(code, _)| *code == Some(0));
        assert_eq!(good.len(), 1, "round {round}: {bad:?}");
        for (code, message) in bad {
            assert!(code == Some(1) && message.lines().count() == 1, "round {round}: {message}");
        }
        assert_eq!(cli.rows(&["port", "list", "lab"]).len(), 1);
        cli.ok(&["port", "del", "lab", "p"]);
        assert!(!link_exists("p"));
    }
}

#[test]
fn switches_made_and_removed_at_once() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    for _ in 0..5 {
        let results = finish((0..4).map(|_| cli.spawn(&["switch", "add", "lab"])).collect());
        assert_eq!(results.iter().filter(|(code, _)| *code == Some(0)).count(), 1, "{results:?}");
        let results = finish((0..4).map(|_| cli.spawn(&["switch", "del", "lab"])).collect());
        assert_eq!(results.iter().filter(|(code, _)| *code == Some(0)).count(), 1, "{results:?}");
    }
    assert!(!Inventory::take().has_switches());
}

/// While ports come and go, those that stay lose nothing.
#[test]
fn frames_pass_while_ports_come_and_go() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    sandbox.netns("extra").unwrap().run(device::no_ipv6).unwrap();
    let cli = lan.cli().clone();
    let mut sequence = 0;
    for _ in 0..5 {
        for arguments in
            [&["port", "add", "lab", "extra", "--netns", "extra"][..], &["port", "del", "lab", "extra"]]
        {
            let mut child = cli.spawn(arguments);
            while child.try_wait().unwrap().is_none() {
                sequence += 1;
                let bytes = Frame::new(lan.mac(0), lan.mac(1)).sequence(sequence).build();
                lan.stations[0].wire.send(&bytes).unwrap();
                lan.expect_arrival(&bytes, &[1], "while a command runs");
            }
            assert!(child.wait().unwrap().success());
        }
    }
    assert!(sequence > 10, "{sequence} frames are too few");
}

/// Runs a command and sends it a signal some time later; whether it had ended before.
fn interrupted(cli: &Cli, arguments: &[&str], signal: Signal, after: Duration) {
    let child = cli.spawn(arguments);
    thread::sleep(after);
    // The process is not waited for yet, so the number is still its own.
    kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
    child.wait_with_output().unwrap();
}

/// The port is whole or not there at all.
fn old_or_new(cli: &Cli, context: &str) -> bool {
    let there = cli.rows(&["port", "list", "lab"]).iter().any(|row| row["port"] == "p");
    assert_eq!(link_exists("p"), there, "{context}: the device");
    assert_eq!(NetNs::open("n").is_ok(), there, "{context}: the namespace");
    if there {
        let inside = NetNs::open("n").unwrap().run(|| ip(&["address", "show", "eth0"])).unwrap();
        assert!(inside.contains("10.0.0.9/24") && inside.contains("LOWER_UP"), "{context}: {inside}");
    }
    there
}

const ADD: [&str; 8] = ["port", "add", "lab", "p", "--netns", "n", "--ip", "10.0.0.9/24"];
const DEL: [&str; 4] = ["port", "del", "lab", "p"];

/// How long the two commands take, so that the signals fall all over them.
fn duration(cli: &Cli) -> Duration {
    let start = std::time::Instant::now();
    cli.ok(&ADD);
    cli.ok(&DEL);
    start.elapsed() / 2
}

#[test]
fn ctrl_c_at_any_point() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let whole = duration(&cli);
    let mut random = Random::from_environment();
    for round in 0..60 {
        let signal = *random.pick(&[Signal::SIGINT, Signal::SIGTERM]);
        let after = random.up_to(whole * 6 / 5);
        let command: &[&str] = if old_or_new(&cli, "before") { &DEL } else { &ADD };
        interrupted(&cli, command, signal, after);
        old_or_new(&cli, &format!("round {round}: {signal} after {after:?} in {command:?}"));
    }
    cli.ok(&["switch", "del", "lab"]);
    assert!(!link_exists("p") && NetNs::open("n").is_err());
}

/// A killed command may leave a half, but the next one that changes something clears it away.
#[test]
fn killed_at_any_point() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let whole = duration(&cli);
    let mut random = Random::from_environment();
    for round in 0..60 {
        let after = random.up_to(whole * 6 / 5);
        let command: &[&str] = if old_or_new(&cli, "before") { &DEL } else { &ADD };
        interrupted(&cli, command, Signal::SIGKILL, after);
        cli.ok(&["port", "add", "lab", "next", "--netns", "next"]);
        cli.ok(&["port", "del", "lab", "next"]);
        old_or_new(&cli, &format!("round {round}: killed after {after:?} in {command:?}"));
    }
    cli.ok(&["switch", "del", "lab"]);
    assert!(!link_exists("p") && NetNs::open("n").is_err());
    assert!(!Inventory::take().has_switches());
}

/// The device is taken away while its port is being made: everything is undone, or the port is there without it.
#[test]
fn the_device_is_lost_half_way() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let whole = duration(&cli);
    let mut random = Random::from_environment();
    for round in 0..40 {
        let child = cli.spawn(&ADD);
        let end = std::time::Instant::now() + random.up_to(whole);
        while std::time::Instant::now() < end && !link_exists("p") {}
        let lost =
            std::process::Command::new("ip").args(["link", "del", "p"]).output().unwrap().status.success();
        let output = child.wait_with_output().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        let there = cli.rows(&["port", "list", "lab"]).iter().any(|row| row["port"] == "p");
        match output.status.code() {
            Some(0) => assert!(there, "round {round}: lost {lost}: done, but not listed"),
            Some(1) => {
                assert_eq!(message.lines().count(), 1, "round {round}: {message}");
                assert!(!there && !link_exists("p") && NetNs::open("n").is_err(), "round {round}: {message}");
            }
            other => panic!("round {round}: {other:?} {message}"),
        }
        if there {
            cli.ok(&DEL);
        }
        assert!(!link_exists("p") && NetNs::open("n").is_err(), "round {round}: {message}");
    }
}

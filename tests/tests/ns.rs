//! Namespaces are the same objects for `vswitch ns` and `ip netns`, whichever made them.
#![expect(clippy::unwrap_used, reason = "a test")]

mod hermit;

use std::fs;

use hermit::{Hermit, without_capability};
use nix::mount::{MsFlags, mount};
use serde_json::json;
use vswitch_tests::{
    iproute::{ip, ip_json},
    sandbox::{NETNS_DIR, Sandbox},
    vswitch::Cli,
};

/// Names in the order of `ip netns list`, which has none.
fn ip_names() -> Vec<String> {
    let mut names: Vec<_> =
        ip(&["netns", "list"]).lines().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect();
    names.sort();
    names
}

fn names(cli: &Cli) -> Vec<String> {
    cli.rows(&["ns", "list"]).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

/// Mounts below the directory of names, from the kernel.
fn mounts() -> usize {
    let all = fs::read_to_string("/proc/thread-self/mountinfo").unwrap();
    all.lines().filter(|line| line.contains(&format!(" {NETNS_DIR}/"))).count()
}

#[test]
fn both_see_what_either_made() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "ours", "second"]);
    ip(&["netns", "add", "theirs"]);
    assert_eq!(names(&cli), ["ours", "second", "theirs"]);
    assert_eq!(ip_names(), names(&cli));
    for name in names(&cli) {
        let theirs = ip(&["netns", "exec", &name, "readlink", "/proc/self/ns/net"]);
        let ours = cli.ok(&["ns", "exec", &name, "--", "readlink", "/proc/self/ns/net"]).stdout;
        assert_eq!(ours, theirs);
        let row = cli.rows(&["ns", "list"]).into_iter().find(|row| row["name"] == *name).unwrap();
        assert_eq!(format!("net:[{}]\n", row["inode"]), ours);
        assert_eq!(
            (&row["interfaces"], &row["processes"]),
            (&json!(ip_json(&["-n", &name, "link"]).len()), &json!(0))
        );
    }
    assert_eq!(mounts(), 3, "each name is mounted once");
    ip(&["netns", "del", "ours"]);
    cli.ok(&["ns", "del", "theirs"]);
    assert_eq!((names(&cli), ip_names()), (vec!["second".to_owned()], vec!["second".to_owned()]));
    cli.ok(&["ns", "del", "--all"]);
    assert_eq!((fs::read_dir(NETNS_DIR).unwrap().count(), mounts()), (0, 0), "nothing is left");
}

#[test]
fn loopback_is_up_on_request_only() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "quiet"]);
    cli.ok(&["ns", "add", "talking", "--lo"]);
    assert!(!ip(&["-n", "quiet", "link", "show", "lo"]).contains(",UP"));
    assert!(ip(&["-n", "talking", "link", "show", "lo"]).contains(",UP"));
    cli.ok(&["ns", "exec", "talking", "--", "ping", "-c", "1", "-W", "2", "127.0.0.1"]);
}

#[test]
fn a_refusal_changes_nothing() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    let before = cli.json(&["ns", "list"]);
    let long = "x".repeat(64);
    for arguments in [
        &["ns", "add", "web"] as &[&str],
        &["ns", "add", "a/b"],
        &["ns", "add", ".."],
        &["ns", "add", ""],
        &["ns", "add", &long],
        &["ns", "add"],
        &["ns", "del", "nope"],
        &["ns", "del"],
        &["ns", "exec", "nope", "--", "true"],
        &["ns", "exec", "web", "--", "no-such-command"],
        &["ns", "exec", "web"],
        &["ns", "exec", "--", "true"],
        &["ns", "exec", "web", "--all", "--", "true"],
        &["ns", "exec", "--pid", "4194305", "--", "true"],
        &["ns", "pids", "nope"],
        &["ns", "identify", "4194305"],
        &["ns", "attach", "web", "1"],
        &["ns", "attach", "box", "4194305"],
        &["ns", "set-id", "nope", "1"],
        &["ns", "set-id", "web", "-1"],
        &["ns", "set-id", "web", "2147483648"],
    ] {
        cli.run(arguments).refused();
        assert_eq!(cli.json(&["ns", "list"]), before, "{arguments:?}");
    }
    let taken = cli.run(&["ns", "add", "web"]).refused();
    assert!(taken.stderr.contains("namespace `web` already exists; "), "{}", taken.stderr);
}

#[test]
fn several_names_are_all_tried() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "a", "b", "c"]);
    let output = cli.run(&["ns", "del", "a", "x", "b", "y"]);
    assert_eq!(output.code, Some(1));
    assert!(output.stderr.contains("`x`") && output.stderr.contains("`y`"), "{}", output.stderr);
    assert_eq!(names(&cli), ["c"]);
}

#[test]
fn a_command_sees_the_namespace_and_its_status_is_passed_on() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    ip(&["netns", "add", "web"]);
    ip(&["-n", "web", "link", "add", "name", "inside", "type", "veth", "peer", "name", "other"]);
    assert_eq!(cli.run(&["ns", "exec", "web", "--", "sh", "-c", "exit 7"]).code, Some(7));
    let sys = cli.ok(&["ns", "exec", "web", "--", "ls", "/sys/class/net"]).stdout;
    let seen: Vec<_> = sys.split_whitespace().collect();
    assert!(["inside", "lo", "other"].iter().all(|name| seen.contains(name)), "{sys}");
    assert!(fs::metadata("/sys/class/net/inside").is_err(), "our own view is as before");

    // Files of the namespace's own, in an /etc that nobody else sees.
    mount(None::<&str>, "/etc", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
    fs::create_dir_all("/etc/netns/web").unwrap();
    fs::write("/etc/hosts", "outside").unwrap();
    fs::write("/etc/netns/web/hosts", "inside").unwrap();
    for said in [
        cli.ok(&["ns", "exec", "web", "--", "cat", "/etc/hosts"]).stdout,
        ip(&["netns", "exec", "web", "cat", "/etc/hosts"]),
    ] {
        assert_eq!(said, "inside");
    }
    assert_eq!(fs::read_to_string("/etc/hosts").unwrap(), "outside");
}

#[test]
fn a_command_runs_in_every_namespace() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "a", "b"]);
    let spaces = cli.ok(&["ns", "exec", "--all", "--", "readlink", "/proc/self/ns/net"]).stdout;
    let expected: Vec<_> =
        cli.rows(&["ns", "list"]).iter().map(|row| format!("net:[{}]", row["inode"])).collect();
    assert_eq!(spaces.lines().collect::<Vec<_>>(), expected);
    // The status tells of any failure, and all have been tried.
    ip(&["-n", "a", "link", "add", "name", "only", "type", "veth", "peer", "name", "here"]);
    let output = cli.run(&["ns", "exec", "--all", "--", "ls", "/sys/class/net/only"]);
    assert_eq!(output.code, Some(1));
    assert!(
        output.stderr.contains("namespace `b`") && !output.stderr.contains("namespace `a`"),
        "{}",
        output.stderr
    );
}

#[test]
fn processes_are_found_and_told_where_they_are() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    assert_eq!(cli.ok(&["ns", "identify"]).stdout, "", "the sandbox has no name");
    let hermit = Hermit::new();
    let pid = hermit.pid().to_string();
    assert_eq!(cli.ok(&["ns", "identify", &pid]).stdout, "");
    let inode = cli.ok(&["ns", "exec", "--pid", &pid, "--", "readlink", "/proc/self/ns/net"]).stdout;
    assert_eq!(
        inode.trim(),
        fs::read_link(format!("/proc/{}/ns/net", hermit.pid())).unwrap().to_str().unwrap()
    );

    cli.ok(&["ns", "attach", "box", &pid]);
    assert_eq!(ip_names(), ["box", "web"]);
    assert_eq!(cli.ok(&["ns", "identify", &pid]).stdout, "box\n");
    assert_eq!(cli.json(&["ns", "pids", "box"]), json!([hermit.pid()]));
    assert_eq!(cli.ok(&["ns", "pids", "box"]).stdout, ip(&["netns", "pids", "box"]));
    assert_eq!(cli.ok(&["ns", "pids", "web"]).stdout, "");
    cli.ok(&["ns", "del", "box"]);
    assert!(fs::metadata(format!("/proc/{}", hermit.pid())).is_ok(), "only the name is gone");
}

#[test]
fn ids_are_those_of_ip_netns() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "a", "b", "c"]);
    cli.ok(&["ns", "set-id", "a", "5"]);
    ip(&["netns", "set", "b", "7"]);
    let free = cli.json(&["ns", "set-id", "c", "auto"])["nsid"].as_i64().unwrap();
    let rows: Vec<_> =
        cli.rows(&["ns", "list-id"]).iter().map(|row| (row["nsid"].as_i64(), row["name"].clone())).collect();
    assert_eq!(rows, [(Some(free), json!("c")), (Some(5), json!("a")), (Some(7), json!("b"))]);
    let theirs = ip(&["netns", "list-id"]);
    for (id, name) in rows {
        let line = format!("nsid {} (iproute2 netns name: {})", id.unwrap(), name.as_str().unwrap());
        assert!(theirs.contains(&line), "{theirs}");
    }
    for (arguments, cause) in [
        (["ns", "set-id", "a", "6"], "the id 5 already"),
        (["ns", "set-id", "a", "auto"], "the id 5 already"),
    ] {
        let output = cli.run(&arguments).refused();
        assert!(output.stderr.contains(cause), "{}", output.stderr);
    }
    cli.ok(&["ns", "add", "d"]);
    let output = cli.run(&["ns", "set-id", "d", "7"]).refused();
    assert!(output.stderr.contains("belongs to another namespace"), "{}", output.stderr);
}

/// What an interrupted `add` can leave: a file without a namespace.
#[test]
fn a_left_over_is_shown_and_can_be_deleted() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    fs::write(format!("{NETNS_DIR}/stale"), "").unwrap();
    let rows = cli.rows(&["ns", "list"]);
    assert_eq!((&rows[0]["name"], &rows[0]["inode"]), (&json!("stale"), &json!(null)));
    let output = cli.run(&["ns", "exec", "stale", "--", "true"]).refused();
    assert!(output.stderr.contains("is no network namespace"), "{}", output.stderr);
    // A left-over is no reason to leave the others out.
    assert!(cli.run(&["ns", "exec", "--all", "--", "echo", "here"]).stdout.contains("here"));
    cli.ok(&["ns", "del", "stale"]);
    assert_eq!(names(&cli), ["web"]);
}

#[test]
fn two_at_once_make_one() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    for round in 0..5 {
        let name = format!("n{round}");
        let rivals: Vec<_> = (0..4).map(|_| cli.spawn(&["ns", "add", &name])).collect();
        let won = rivals
            .into_iter()
            .filter_map(|rival| rival.wait_with_output().ok())
            .filter(|it| it.status.success());
        assert_eq!(won.count(), 1);
    }
    assert_eq!((names(&cli).len(), mounts()), (5, 5));
}

#[test]
fn a_missing_privilege_is_named() {
    const CAP_SYS_ADMIN: libc::c_ulong = 21;
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    for arguments in
        [&["ns", "add", "new"] as &[&str], &["ns", "del", "web"], &["ns", "exec", "web", "--", "true"]]
    {
        let mut command = without_capability(cli.command(arguments), CAP_SYS_ADMIN);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(said.contains("CAP_SYS_ADMIN") && said.lines().count() == 1, "{arguments:?}: {said}");
        assert_eq!(names(&cli), ["web"]);
    }
}

//! The command line as scripts see it: help, exit codes, and the fields of the JSON.

use serde_json::Value;
use vswitch_tests::{frame::station, iproute::ip_json, sandbox::Sandbox, vswitch::Cli};

/// All nouns and verbs of the contract.
const VERBS: [(&str, &[&str]); 6] = [
    ("switch", &["add", "del", "list", "show", "set"]),
    ("port", &["add", "del", "list", "show", "set"]),
    ("fdb", &["list", "add", "del", "flush"]),
    ("neigh", &["list", "add", "replace", "del", "flush"]),
    ("ns", &["add", "del", "list", "exec", "pids", "identify", "attach", "set-id", "list-id"]),
    ("link", &["list", "show", "add", "del", "set"]),
];

#[test]
fn help_has_an_example_everywhere() {
    let cli = Cli::find();
    for (noun, verbs) in VERBS {
        let overview = cli.ok(&[noun, "--help"]).stdout;
        for verb in verbs {
            assert!(overview.contains(verb), "`{noun} --help` does not name `{verb}`: {overview}");
            let help = cli.ok(&[noun, verb, "--help"]);
            assert!(help.stderr.is_empty(), "{help:?}");
            let example = format!("vswitch {noun} {verb}");
            let json_example = format!("vswitch --json {noun} {verb}");
            let examples = help.stdout.split("Example").nth(1).unwrap_or_default();
            assert!(
                examples.contains(&example) || examples.contains(&json_example),
                "`{noun} {verb} --help` has no example: {}",
                help.stdout
            );
        }
    }
    assert_eq!(cli.run(&["--version"]).code, Some(0));
}

/// What goes into a pipe is read by programs.
#[test]
fn no_colours_in_a_pipe() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    for arguments in [&["--help"][..], &["port", "add", "--help"], &["port", "list", "lab"], &["nosuch"]] {
        let output = cli.run(arguments);
        assert!(!(output.stdout + &output.stderr).contains('\x1b'), "{arguments:?} prints escape sequences");
    }
}

/// Data and prose stay apart, and nothing is said when there is nothing to say.
#[test]
fn a_change_is_silent() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    let cli = Cli::find();
    for line in [
        "switch add lab",
        "switch set lab ageing=60",
        "port add lab p --netns n",
        "port set lab p flood=off",
        "fdb add lab 02:00:00:00:00:09 p",
        "fdb del lab 02:00:00:00:00:09",
        "port del lab p",
        "switch del lab",
    ] {
        let output = cli.ok(&line.split(' ').collect::<Vec<_>>());
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""), "vswitch {line}");
    }
}

/// `head` and the like close the pipe early; that is success.
#[test]
fn a_broken_pipe_is_success() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    let cli = Cli::find();
    let mut child = cli.spawn(&["--json", "link", "list"]);
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("wait");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn keys(value: &Value, names: &[&str]) {
    for name in names {
        assert!(value.get(name).is_some(), "`{name}` is missing in {value}");
    }
}

#[test]
fn json_of_ports() {
    let sandbox = Sandbox::enter().expect("sandbox");
    sandbox.netns("mine").expect("namespace");
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let mac = station(9).to_string();
    let add = [
        "port",
        "add",
        "lab",
        "web",
        "--netns",
        "mine",
        "--mac",
        &mac,
        "--mtu",
        "1400",
        "--ip",
        "10.0.0.1/24",
    ];
    cli.ok(&add);
    cli.ok(&["port", "add", "lab", "vm0", "--tap"]);
    cli.ok(&["port", "add", "lab", "up0", "--host", "--ip", "10.0.0.2/24"]);
    let rows = cli.rows(&["port", "list", "lab"]);
    let links = ip_json(&["link"]);
    for row in &rows {
        let contract = [
            "switch",
            "port",
            "kind",
            "ifindex",
            "state",
            "datapath",
            "redirect",
            "mtu",
            "netns",
            "peer_ifname",
        ];
        keys(row, &contract);
        keys(
            &row["counters"],
            &["rx_frames", "rx_bytes", "forwarded", "flooded", "local", "tx_frames", "tx_bytes"],
        );
        assert!(row["counters"]["drops"].is_object() && row["counters"]["tx_drops"].is_object(), "{row}");
        let link = links.iter().find(|link| link["ifname"] == row["port"]).expect("its device");
        assert_eq!((&row["ifindex"], &row["mtu"]), (&link["ifindex"], &link["mtu"]), "{row}");
        assert_eq!(row["switch"], "lab");
        assert_eq!(row["datapath"], "tc");
    }
    let field =
        |port: &str, name: &str| rows.iter().find(|row| row["port"] == port).expect("port")[name].clone();
    assert_eq!(["web", "vm0", "up0"].map(|port| field(port, "kind")), ["netns", "tap", "host"]);
    assert_eq!((field("web", "netns"), field("web", "peer_ifname")), ("mine".into(), "eth0".into()));
    assert_eq!((field("web", "mtu"), field("web", "redirect")), (1400.into(), "peer".into()));
    // The other end is in the same namespace, where redirect_peer would drop.
    assert_eq!((field("up0", "peer_ifname"), field("up0", "redirect")), ("up0-host".into(), "dev".into()));
    assert_eq!(field("vm0", "netns"), Value::Null);
    let inside =
        vswitch_tests::sandbox::in_ns("mine", || ip_json(&["address", "show", "eth0"])).expect("enter");
    assert_eq!((&inside[0]["address"], &inside[0]["mtu"]), (&mac.as_str().into(), &1400.into()));
    assert_eq!(inside[0]["addr_info"][0]["local"], "10.0.0.1");
    let lo = vswitch_tests::sandbox::in_ns("mine", || ip_json(&["link", "show", "lo"])).expect("enter");
    assert!(lo[0]["flags"].to_string().contains("\"UP\""));
    // One port is shown with the fields that the list has.
    let shown = cli.rows(&["port", "show", "lab", "web"]);
    assert_eq!((shown.len(), &shown[0]["ifindex"]), (1, &field("web", "ifindex")));
}

#[test]
fn json_of_addresses() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    cli.ok(&["port", "add", "lab", "web", "--netns", "web"]);
    cli.ok(&["fdb", "add", "lab", "02:00:00:00:00:09", "web"]);
    cli.ok(&["fdb", "add", "lab", "02:00:00:00:00:0a", "web", "--sticky"]);
    let rows = cli.rows(&["fdb", "list", "lab"]);
    for row in &rows {
        keys(row, &["mac", "vlan", "port", "kind", "age_ms"]);
        assert_eq!((&row["vlan"], &row["port"]), (&0.into(), &"web".into()), "{row}");
    }
    let kind = |mac: &str| rows.iter().find(|row| row["mac"] == mac).map(|row| row["kind"].clone());
    assert_eq!(kind("02:00:00:00:00:09"), Some("static".into()));
    assert_eq!(kind("02:00:00:00:00:0a"), Some("sticky".into()));
    let device = ip_json(&["link", "show", "web"])[0]["address"].as_str().expect("address").to_owned();
    assert_eq!(kind(&device), Some("local".into()));
}

/// Nothing is a list too.
#[test]
fn json_of_nothing() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    let cli = Cli::find();
    for line in ["switch list", "port list", "ns list"] {
        let arguments: Vec<&str> = line.split(' ').collect();
        assert_eq!(cli.json(&arguments), Value::Array(Vec::new()), "{line}");
    }
    cli.ok(&["switch", "add", "lab"]);
    assert_eq!(cli.rows(&["port", "list", "lab"]).len(), 0);
    assert_eq!(cli.rows(&["fdb", "list", "lab"]).len(), 0);
    assert_eq!(cli.rows(&["switch", "list"])[0]["name"], "lab");
}

//! Links are told as they are, wherever their other ends are, and made as asked.
#![expect(clippy::unwrap_used, reason = "a test")]

mod hermit;

use hermit::Hermit;
use serde_json::{Value, json};
use vswitch_tests::{
    iproute::{ip, ip_json, link_exists},
    sandbox::Sandbox,
    vswitch::Cli,
    wait,
};

/// One link as `vswitch` tells it.
fn link(cli: &Cli, arguments: &[&str]) -> Value {
    cli.json(&[&["link", "show"], arguments].concat())
}

/// The part of a link's description that is where its other end is.
fn peer(row: &Value) -> (&Value, &Value, bool) {
    (&row["peer"]["name"], &row["peer"]["netns"], row["peer"]["nsid"].is_null())
}

#[test]
fn the_other_end_is_found_wherever_it_is() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    for name in ["web", "db", "unrelated"] {
        ip(&["netns", "add", name]);
    }
    cli.ok(&["link", "add", "veth", "here", "--peer", "eth0", "--peer-netns", "web"]);
    cli.ok(&["link", "add", "veth", "same", "--peer", "other"]);
    cli.ok(&["link", "add", "veth", "l", "--netns", "web", "--peer", "r", "--peer-netns", "db"]);
    assert_eq!(peer(&link(&cli, &["here"])), (&json!("eth0"), &json!("web"), false));
    assert_eq!(peer(&link(&cli, &["same"])), (&json!("other"), &json!(null), true));
    assert_eq!(peer(&link(&cli, &["l", "--netns", "web"])), (&json!("r"), &json!("db"), false));
    assert_eq!(peer(&link(&cli, &["r", "--netns", "db"])), (&json!("l"), &json!("web"), false));
    // The index is that of the other end where it is.
    let there = ip_json(&["-n", "web", "link", "show", "eth0"]);
    assert_eq!(link(&cli, &["here"])["peer"]["index"], there[0]["ifindex"]);

    // From inside a namespace, ours has no name; a process in it is told.
    let back = link(&cli, &["eth0", "--netns", "web"]);
    assert_eq!(peer(&back), (&json!("here"), &json!(null), false));
    assert!(back["peer"]["pid"].is_number(), "{back}");

    let hermit = Hermit::new();
    cli.ok(&["link", "add", "veth", "out", "--peer", "in"]);
    cli.ok(&["link", "set", "in", "--netns-pid", &hermit.pid().to_string()]);
    let row = link(&cli, &["out"]);
    assert_eq!(
        (peer(&row), &row["peer"]["pid"]),
        ((&json!("in"), &json!(null), false), &json!(hermit.pid()))
    );

    // The list tells the same as `show`, in one call, for all namespaces.
    let all = cli.rows(&["link", "list", "--all-netns"]);
    let found = all.iter().find(|row| row["name"] == "r").unwrap();
    assert_eq!((peer(found), &found["netns"]), ((&json!("l"), &json!("web"), false), &json!("db")));
    let table = cli.ok(&["link", "list"]).stdout;
    assert!(table.lines().any(|line| line.starts_with("here") && line.ends_with("eth0 in web")), "{table}");
}

#[test]
fn every_kind_is_what_ip_calls_it() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["link", "add", "veth", "v", "--peer", "w"]);
    cli.ok(&["link", "add", "tap", "tap0"]);
    cli.ok(&["link", "add", "tun", "tun0"]);
    cli.ok(&["link", "add", "bridge", "br0", "--stp", "on"]);
    cli.ok(&["link", "add", "macvlan", "m0", "--parent", "v"]);
    cli.ok(&["link", "add", "macvtap", "m1", "--parent", "w", "--mode", "vepa"]);
    ip(&["link", "add", "name", "x0", "type", "vxlan", "id", "7", "dstport", "4789"]);
    let ours = ["lo", "v", "w", "tap0", "tun0", "br0", "m0", "m1", "x0"];
    for name in ours {
        let details = &ip_json(&["-d", "link", "show", name])[0];
        let row = link(&cli, &[name]);
        let kind = match (&details["linkinfo"]["info_kind"], &details["linkinfo"]["info_data"]["type"]) {
            (Value::String(kind), Value::String(what)) if kind == "tun" => what.clone(),
            (Value::String(kind), _) => kind.clone(),
            _ => "loopback".to_owned(),
        };
        assert_eq!(row["kind"], kind, "{details}");
        assert_eq!((&row["index"], &row["mtu"]), (&details["ifindex"], &details["mtu"]));
        if name != "tun0" {
            assert_eq!(row["mac"], details["address"]);
        }
    }
    assert_eq!(ip_json(&["-d", "link", "show", "br0"])[0]["linkinfo"]["info_data"]["stp_state"], 1);
    assert_eq!(ip_json(&["-d", "link", "show", "m1"])[0]["linkinfo"]["info_data"]["mode"], "vepa");
    assert_eq!(link(&cli, &["m0"])["lower"]["name"], "v");
}

#[test]
fn ipvlan_is_made_or_its_absence_is_named() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    ip(&["link", "add", "name", "v", "type", "veth", "peer", "name", "w"]);
    let output = cli.run(&["link", "add", "ipvlan", "i0", "--parent", "v", "--mode", "l3"]);
    if link_exists("i0") {
        assert_eq!(link(&cli, &["i0"])["kind"], "ipvlan");
    } else {
        assert!(output.clone().refused().stderr.contains("CONFIG_IPVLAN"), "{}", output.stderr);
    }
}

#[test]
fn a_tap_stays_and_tells_how_it_was_made() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    let arguments = [
        "link",
        "add",
        "tap",
        "tap0",
        "--user",
        "1234",
        "--group",
        "root",
        "--vnet-header",
        "--multi-queue",
        "--up",
    ];
    cli.ok(&arguments);
    let row = link(&cli, &["tap0"]);
    let expected = json!({
        "persistent": true, "owner": 1234, "group": 0, "multi_queue": true, "vnet_header": true,
        "packet_information": false, "queues": 0,
    });
    assert_eq!((&row["kind"], &row["tun"]), (&json!("tap"), &expected));
    cli.ok(&["link", "add", "tap", "tap1", "--mac", "02:00:00:00:00:0c"]);
    assert_eq!(ip_json(&["link", "show", "tap1"])[0]["address"], "02:00:00:00:00:0c");
    let theirs = ip(&["tuntap", "list"]);
    for word in ["tap0: tap", "persist", "vnet_hdr", "multi_queue", "user 1234", "group 0"] {
        assert!(theirs.contains(word), "`{word}` in {theirs}");
    }
    // One of `ip` is told as well, and either deletes the other's.
    ip(&["tuntap", "add", "mode", "tun", "name", "tun7"]);
    assert_eq!(link(&cli, &["tun7"])["kind"], "tun");
    cli.ok(&["link", "del", "tun7"]);
    ip(&["link", "del", "tap0"]);
    assert!(!link_exists("tap0") && !link_exists("tun7"));
}

/// Number of links in a fresh namespace: the loopback, and on some kernels fallback tunnels.
fn links_of_a_fresh_namespace() -> usize {
    ip(&["netns", "add", "fresh"]);
    let links = ip_json(&["-n", "fresh", "link"]).len();
    ip(&["netns", "del", "fresh"]);
    links
}

#[test]
fn a_pair_is_made_ready_by_one_command() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    ip(&["netns", "add", "web"]);
    cli.ok(&[
        "link",
        "add",
        "veth",
        "a",
        "--peer",
        "eth0",
        "--peer-netns",
        "web",
        "--mac",
        "02:00:00:00:00:0a",
        "--peer-mac",
        "02:00:00:00:00:0b",
        "--mtu",
        "9000",
        "--ip",
        "10.0.0.1/24",
        "--peer-ip",
        "10.0.0.2/24",
        "--queues",
        "3",
        "--up",
        "--tune",
    ]);
    cli.ok(&["ns", "exec", "web", "--", "ping", "-c", "1", "-W", "2", "-s", "8900", "-M", "do", "10.0.0.1"]);
    let ours = &ip_json(&["-d", "addr", "show", "a"])[0];
    let theirs = &ip_json(&["-n", "web", "-d", "addr", "show", "eth0"])[0];
    for (end, mac, address) in
        [(ours, "02:00:00:00:00:0a", "10.0.0.1"), (theirs, "02:00:00:00:00:0b", "10.0.0.2")]
    {
        assert_eq!((&end["address"], &end["mtu"]), (&json!(mac), &json!(9000)));
        assert_eq!((&end["num_tx_queues"], &end["num_rx_queues"]), (&json!(3), &json!(3)));
        assert_eq!(
            (&end["addr_info"][0]["local"], &end["addr_info"][0]["prefixlen"]),
            (&json!(address), &json!(24))
        );
        assert_eq!(end["addr_info"][0]["broadcast"], "10.0.0.255");
        if vswitch_tests::require::kernel_has("BIG TCP", 5, 19) {
            assert_eq!((&end["gso_max_size"], &end["gro_max_size"]), (&json!(196_608), &json!(196_608)));
        }
    }
    // The other end's name is found when none is given, and printed.
    let named = cli.ok(&["link", "add", "veth", "b"]).stdout;
    assert!(link_exists("b") && link_exists(named.trim()), "{named}");
    cli.ok(&["link", "del", "a", "b", named.trim()]);
    let fresh = links_of_a_fresh_namespace();
    assert_eq!(ip_json(&["link"]).len(), fresh, "nothing of ours is left");
    wait::until("the end in the namespace goes too", || ip_json(&["-n", "web", "link"]).len() == fresh);
}

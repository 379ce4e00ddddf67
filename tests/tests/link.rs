//! Links are told as they are, made as asked, and changed as a whole or not at all.

mod hermit;

use hermit::{Hermit, without_capability};
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
    (
        &row["peer"]["name"],
        &row["peer"]["netns"],
        row["peer"]["nsid"].is_null(),
    )
}

#[test]
fn the_other_end_is_found_wherever_it_is() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    for name in ["web", "db", "unrelated"] {
        ip(&["netns", "add", name]);
    }
    cli.ok(&[
        "link",
        "add",
        "veth",
        "here",
        "--peer",
        "eth0",
        "--peer-netns",
        "web",
    ]);
    cli.ok(&["link", "add", "veth", "same", "--peer", "other"]);
    cli.ok(&[
        "link",
        "add",
        "veth",
        "l",
        "--netns",
        "web",
        "--peer",
        "r",
        "--peer-netns",
        "db",
    ]);
    assert_eq!(
        peer(&link(&cli, &["here"])),
        (&json!("eth0"), &json!("web"), false)
    );
    assert_eq!(
        peer(&link(&cli, &["same"])),
        (&json!("other"), &json!(null), true)
    );
    assert_eq!(
        peer(&link(&cli, &["l", "--netns", "web"])),
        (&json!("r"), &json!("db"), false)
    );
    assert_eq!(
        peer(&link(&cli, &["r", "--netns", "db"])),
        (&json!("l"), &json!("web"), false)
    );
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
    assert_eq!(
        (peer(found), &found["netns"]),
        ((&json!("l"), &json!("web"), false), &json!("db"))
    );
    let table = cli.ok(&["link", "list"]).stdout;
    assert!(
        table
            .lines()
            .any(|line| line.starts_with("here") && line.ends_with("eth0 in web")),
        "{table}"
    );
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
    ip(&[
        "link", "add", "name", "x0", "type", "vxlan", "id", "7", "dstport", "4789",
    ]);
    for details in ip_json(&["-d", "link"]) {
        let name = details["ifname"].as_str().unwrap();
        let row = link(&cli, &[name]);
        let kind = match (
            &details["linkinfo"]["info_kind"],
            &details["linkinfo"]["info_data"]["type"],
        ) {
            (Value::String(kind), Value::String(what)) if kind == "tun" => what.clone(),
            (Value::String(kind), _) => kind.clone(),
            _ => "loopback".to_owned(),
        };
        assert_eq!(row["kind"], kind, "{details}");
        assert_eq!(
            (&row["index"], &row["mtu"]),
            (&details["ifindex"], &details["mtu"])
        );
        if name != "tun0" {
            assert_eq!(row["mac"], details["address"]);
        }
    }
    assert_eq!(
        ip_json(&["-d", "link", "show", "br0"])[0]["linkinfo"]["info_data"]["stp_state"],
        1
    );
    assert_eq!(
        ip_json(&["-d", "link", "show", "m1"])[0]["linkinfo"]["info_data"]["mode"],
        "vepa"
    );
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
        assert!(
            output.clone().refused().stderr.contains("CONFIG_IPVLAN"),
            "{}",
            output.stderr
        );
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
    let theirs = ip(&["tuntap", "list"]);
    for word in [
        "tap0: tap",
        "persist",
        "vnet_hdr",
        "multi_queue",
        "user 1234",
        "group 0",
    ] {
        assert!(theirs.contains(word), "`{word}` in {theirs}");
    }
    // One of `ip` is told as well, and either deletes the other's.
    ip(&["tuntap", "add", "mode", "tun", "name", "tun7"]);
    assert_eq!(link(&cli, &["tun7"])["kind"], "tun");
    cli.ok(&["link", "del", "tun7"]);
    ip(&["link", "del", "tap0"]);
    assert!(!link_exists("tap0") && !link_exists("tun7"));
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
    cli.ok(&[
        "ns", "exec", "web", "--", "ping", "-c", "1", "-W", "2", "-s", "8900", "-M", "do", "10.0.0.1",
    ]);
    let ours = &ip_json(&["-d", "addr", "show", "a"])[0];
    let theirs = &ip_json(&["-n", "web", "-d", "addr", "show", "eth0"])[0];
    for (end, mac, address) in [
        (ours, "02:00:00:00:00:0a", "10.0.0.1"),
        (theirs, "02:00:00:00:00:0b", "10.0.0.2"),
    ] {
        assert_eq!((&end["address"], &end["mtu"]), (&json!(mac), &json!(9000)));
        assert_eq!(
            (&end["num_tx_queues"], &end["num_rx_queues"]),
            (&json!(3), &json!(3))
        );
        assert_eq!(
            (&end["addr_info"][0]["local"], &end["addr_info"][0]["prefixlen"]),
            (&json!(address), &json!(24))
        );
        assert_eq!(end["addr_info"][0]["broadcast"], "10.0.0.255");
        if vswitch_tests::require::kernel_has("BIG TCP", 5, 19) {
            assert_eq!(
                (&end["gso_max_size"], &end["gro_max_size"]),
                (&json!(196_608), &json!(196_608))
            );
        }
    }
    // The other end's name is found when none is given, and printed.
    let named = cli.ok(&["link", "add", "veth", "b"]).stdout;
    assert!(link_exists("b") && link_exists(named.trim()), "{named}");
    cli.ok(&["link", "del", "a", "b", named.trim()]);
    assert_eq!(ip_json(&["link"]).len(), 1, "only the loopback is left");
    wait::until("the end in the namespace goes too", || {
        ip_json(&["-n", "web", "link"]).len() == 1
    });
}

/// What a refusal must not change.
fn world() -> Vec<Vec<Value>> {
    vec![
        ip_json(&["-d", "addr"]),
        ip_json(&["-n", "web", "-d", "addr"]),
        ip_json(&["route"]),
    ]
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
    ip(&[
        "-n", "web", "link", "add", "name", "b", "type", "veth", "peer", "name", "c",
    ]);
    let before = world();
    let cases: &[(&[&str], &str)] = &[
        (&["add", "veth", "a"], "`a` already exists"),
        (&["add", "veth", "n", "--peer", "a"], "`a` already exists"),
        (
            &["add", "veth", "n", "--peer", "b", "--peer-netns", "web"],
            "`b` already exists",
        ),
        (&["add", "veth", "n", "--peer", "n"], "both ends"),
        (
            &["add", "veth", "n", "--peer-netns", "nope"],
            "no namespace `nope`",
        ),
        (&["add", "veth", "n", "--mtu", "67"], "use 68 to 65535"),
        (&["add", "veth", "n", "--mtu", "65536"], "use 68 to 65535"),
        (&["add", "veth", "n", "--mtu", "many"], "many"),
        (
            &["add", "veth", "n", "--mac", "01:00:5e:00:00:01"],
            "group address",
        ),
        (&["add", "veth", "n", "--mac", "02:00"], "not a MAC address"),
        (&["add", "veth", "n", "--ip", "10.0.0.1"], "prefix length"),
        (&["add", "veth", "n", "--ip", "10.0.0.1/33"], "prefix length"),
        (
            &["add", "veth", "n", "--ip", "10.9.0.1/24", "--ip", "10.9.0.1/24"],
            "already has the address",
        ),
        (&["add", "veth", "sixteen-letters-"], "use at most 15"),
        (&["add", "veth", "a/b"], "slash"),
        (&["add", "tap", "a"], "`a` already exists"),
        (&["add", "tap", "t", "--user", "no such user"], "no such user"),
        (&["add", "tap", "t", "--mtu", "10"], "out of range"),
        (&["add", "bridge", "br0"], "`br0` already exists"),
        (
            &["add", "macvlan", "m", "--parent", "nope"],
            "no interface `nope`",
        ),
        (
            &["add", "macvlan", "m", "--parent", "a", "--mode", "l2"],
            "passthru",
        ),
        (&["del", "nope"], "no interface `nope`"),
        (&["del", "lo"], "cannot delete `lo`"),
        (&["show", "nope"], "no interface `nope`"),
        (&["list", "--netns", "nope"], "no namespace `nope`"),
        (&["set", "a"], "nothing to change"),
        (&["set", "nope", "--up"], "no interface `nope`"),
        (&["set", "a", "--up", "--down"], "cannot be used with"),
        (&["set", "a", "--name", "b"], "`b` already exists"),
        (&["set", "a", "--master", "b"], "takes no ports"),
        (
            &["set", "a", "--del-ip", "10.0.0.1/16"],
            "no address `10.0.0.1/16`",
        ),
        (&["set", "a", "--netns", "nope"], "no namespace `nope`"),
        (&["set", "a", "--netns-pid", "4194305"], "no process 4194305"),
        (&["set", "br0", "--netns", "web"], "cannot leave its namespace"),
        (
            &[
                "set",
                "b",
                "--netns",
                "web",
                "--mtu",
                "1400",
                "--ip",
                "10.3.0.1/24",
            ],
            "`b` already exists",
        ),
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
        (
            &[
                "set",
                "a",
                "--ip",
                "10.2.0.1/24",
                "--master",
                "br0",
                "--mtu",
                "70000",
            ],
            "use 68 to 65535",
        ),
        (
            &[
                "set",
                "a",
                "--del-ip",
                "10.0.0.1/24",
                "--ip",
                "10.2.0.1/24",
                "--ip",
                "10.2.0.1/24",
            ],
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
    let addresses: Vec<_> = now["addr_info"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["local"].clone())
        .collect();
    assert!(
        addresses.contains(&json!("10.1.0.1")) && addresses.contains(&json!("fd00::1")),
        "{addresses:?}"
    );
    assert!(!addresses.contains(&json!("10.0.0.1")));
    assert_eq!(link(&cli, &["z"])["master"], "br0");
    cli.ok(&["link", "set", "z", "--no-master", "--down"]);
    let now = link(&cli, &["z"]);
    assert_eq!((&now["master"], &now["state"]), (&json!(null), &json!("down")));
}

/// As [`configuration`], with another name, and without labels, which the kernel makes anew when it renames.
fn renamed(configuration: &Value, from: &str, to: &str) -> Value {
    let mut configuration = configuration.clone();
    let infos = configuration[1].as_array_mut().unwrap();
    for info in infos.iter_mut() {
        info.as_object_mut().unwrap().remove("label");
    }
    infos.sort_by_key(ToString::to_string);
    let text = configuration.to_string();
    serde_json::from_str(&text.replace(&format!("\"{from}\\\""), &format!("\"{to}\\\""))).unwrap()
}

/// Everything about a link that a move must keep, except for what time changes.
fn configuration(place: &[&str], name: &str) -> Value {
    let mut address = ip_json(&[place, &["addr", "show", name]].concat()).remove(0);
    let mut infos = address["addr_info"].take();
    for info in infos.as_array_mut().unwrap() {
        let info = info.as_object_mut().unwrap();
        // Lifetimes run, and duplicate address detection takes a moment.
        let kept = [
            "family",
            "local",
            "address",
            "prefixlen",
            "scope",
            "label",
            "broadcast",
            "dynamic",
            "nodad",
        ];
        info.retain(|key, _| kept.contains(&key.as_str()));
    }
    infos.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    let mut routes = Vec::new();
    for family in ["-4", "-6"] {
        let all = ip_json(&[place, &[family, "route", "show", "table", "all", "dev", name]].concat());
        routes.extend(
            all.into_iter()
                .filter(|route| route["protocol"] != "kernel")
                .map(|mut route| {
                    // A default route's flags tell the state of its neighbour.
                    route["flags"].take();
                    route.to_string()
                }),
        );
    }
    routes.sort();
    let state: Vec<_> = ["mtu", "address", "operstate"]
        .iter()
        .map(|key| address[key].clone())
        .collect();
    json!([state, infos, routes])
}

fn well_configured(cli: &Cli) {
    cli.ok(&["link", "add", "veth", "a", "--peer", "b", "--mtu", "4000", "--up"]);
    for address in [
        &["10.0.0.1/24", "dev", "a", "label", "a:first"] as &[&str],
        &["10.0.0.5/24", "dev", "a"],
        &["10.1.0.1", "peer", "10.1.0.2/32", "dev", "a"],
        &["169.254.1.1/16", "scope", "link", "dev", "a"],
        &["fd00::1/64", "dev", "a", "nodad"],
        &["fe80::1234/64", "dev", "a", "nodad"],
        &[
            "fd01::1/64",
            "dev",
            "a",
            "valid_lft",
            "3000",
            "preferred_lft",
            "2000",
            "nodad",
        ],
    ] {
        ip(&[&["addr", "add"], address].concat());
    }
    for route in [
        &["192.168.5.0/24", "via", "10.0.0.9"] as &[&str],
        &["default", "via", "10.0.0.254", "metric", "5"],
        &["172.16.0.0/16", "dev", "a", "scope", "link", "table", "100"],
        &["fd05::/64", "via", "fd00::9"],
        &["default", "via", "fe80::9", "dev", "a"],
    ] {
        ip(&[&["route", "add"], route].concat());
    }
    wait::until("the link has its own IPv6 address", || {
        ip(&["-6", "addr", "show", "dev", "a"]).matches("fe80:").count() == 2
    });
}

#[test]
fn a_move_keeps_the_configuration() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web", "db"]);
    well_configured(&cli);
    let before = configuration(&[], "a");
    cli.ok(&["link", "set", "a", "--netns", "web"]);
    assert!(!link_exists("a"));
    // The kernel makes the link's own IPv6 address anew, a moment later.
    wait::until("the link has its own IPv6 address", || {
        configuration(&["-n", "web"], "a") == before
    });
    // With another name, and back to where it came from.
    let hermit = Hermit::new();
    cli.ok(&[
        "link", "set", "a", "--in", "web", "--netns", "db", "--name", "wan",
    ]);
    wait::until("so does the next move", || {
        renamed(&configuration(&["-n", "db"], "wan"), "wan", "a") == renamed(&before, "a", "a")
    });
    cli.ok(&[
        "link",
        "set",
        "wan",
        "--in",
        "db",
        "--netns-pid",
        &hermit.pid().to_string(),
    ]);
    assert_eq!(peer(&link(&cli, &["b"])), (&json!("wan"), &json!(null), false));
}

#[test]
fn a_link_that_makes_no_ipv6_address_makes_none_there() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    ip(&["link", "add", "name", "a", "type", "veth", "peer", "name", "b"]);
    ip(&["link", "set", "dev", "a", "addrgenmode", "none"]);
    ip(&["link", "set", "dev", "b", "up"]);
    cli.ok(&["link", "set", "a", "--up", "--netns", "web"]);
    let mode = ip_json(&["-n", "web", "-d", "link", "show", "a"]);
    assert_eq!(mode[0]["inet6_addr_gen_mode"], "none");
    assert_eq!(
        ip_json(&["-n", "web", "-6", "addr", "show", "dev", "a"]),
        Vec::<Value>::new()
    );
}

#[test]
fn a_failed_move_brings_everything_back() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "hostile", "busy"]);
    // There, IPv6 addresses are refused, but only once the link has arrived.
    for which in ["all", "default"] {
        let setting = format!("net.ipv6.conf.{which}.disable_ipv6=1");
        ip(&["netns", "exec", "hostile", "sysctl", "-qw", &setting]);
    }
    // And here, the name is taken.
    ip(&[
        "-n", "busy", "link", "add", "name", "a", "type", "veth", "peer", "name", "c",
    ]);
    well_configured(&cli);
    let before = configuration(&[], "a");
    for (place, cause) in [("hostile", "IPv6 is disabled"), ("busy", "already exists")] {
        let output = cli
            .run(&[
                "link",
                "set",
                "a",
                "--netns",
                place,
                "--mtu",
                "3000",
                "--ip",
                "10.7.0.1/24",
            ])
            .refused();
        assert!(output.stderr.contains(cause), "{}", output.stderr);
        wait::until("the link is back as it was", || configuration(&[], "a") == before);
    }
    assert_eq!(ip_json(&["-n", "hostile", "link"]).len(), 1);
}

#[test]
fn what_cannot_come_along_is_told() {
    let _sandbox = Sandbox::enter().unwrap();
    let cli = Cli::find();
    cli.ok(&["ns", "add", "web"]);
    cli.ok(&["link", "add", "bridge", "br0"]);
    cli.ok(&["link", "add", "veth", "a"]);
    cli.ok(&["link", "set", "a", "--master", "br0"]);
    let output = cli.ok(&["--json", "link", "set", "a", "--netns", "web"]);
    assert!(output.stderr.contains("master"), "{}", output.stderr);
    assert_eq!(output.json()["lost"].as_array().unwrap().len(), 1);
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
        let output = without_capability(cli.command(arguments), CAP_NET_ADMIN)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert!(
            said.contains("CAP_NET_ADMIN") && said.lines().count() == 1,
            "{arguments:?}: {said}"
        );
        assert_eq!(ip_json(&["addr"]), before, "{arguments:?}");
    }
    // Looking takes none.
    let list = without_capability(cli.command(&["link", "list"]), CAP_NET_ADMIN)
        .output()
        .unwrap();
    assert!(list.status.success());
}

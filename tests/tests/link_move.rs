//! A link that moves to another namespace keeps its configuration, or stays.
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
        let kept =
            ["family", "local", "address", "prefixlen", "scope", "label", "broadcast", "dynamic", "nodad"];
        info.retain(|key, _| kept.contains(&key.as_str()));
    }
    infos.as_array_mut().unwrap().sort_by_key(ToString::to_string);
    let mut routes = Vec::new();
    for family in ["-4", "-6"] {
        let all = ip_json(&[place, &[family, "route", "show", "table", "all", "dev", name]].concat());
        routes.extend(all.into_iter().filter(|route| route["protocol"] != "kernel").map(|mut route| {
            // A default route's flags tell the state of its neighbour.
            route["flags"].take();
            route.to_string()
        }));
    }
    routes.sort();
    let state: Vec<_> = ["mtu", "address", "operstate"].iter().map(|key| address[key].clone()).collect();
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
        &["fd01::1/64", "dev", "a", "valid_lft", "3000", "preferred_lft", "2000", "nodad"],
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
    wait::until("the link has its own IPv6 address", || configuration(&["-n", "web"], "a") == before);
    // With another name, and back to where it came from.
    let hermit = Hermit::new();
    cli.ok(&["link", "set", "a", "--in", "web", "--netns", "db", "--name", "wan"]);
    wait::until("so does the next move", || {
        renamed(&configuration(&["-n", "db"], "wan"), "wan", "a") == renamed(&before, "a", "a")
    });
    cli.ok(&["link", "set", "wan", "--in", "db", "--netns-pid", &hermit.pid().to_string()]);
    let there = &cli.json(&["link", "show", "b"])["peer"];
    assert_eq!((&there["name"], &there["pid"]), (&json!("wan"), &json!(hermit.pid())));
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
    assert_eq!(ip_json(&["-n", "web", "-6", "addr", "show", "dev", "a"]), Vec::<Value>::new());
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
    ip(&["-n", "busy", "link", "add", "name", "a", "type", "veth", "peer", "name", "c"]);
    well_configured(&cli);
    let before = configuration(&[], "a");
    for (place, cause) in [("hostile", "IPv6 is disabled"), ("busy", "already exists")] {
        let output = cli
            .run(&["link", "set", "a", "--netns", place, "--mtu", "3000", "--ip", "10.7.0.1/24"])
            .refused();
        assert!(output.stderr.contains(cause), "{}", output.stderr);
        wait::until("the link is back as it was", || configuration(&[], "a") == before);
    }
    assert!(!ip(&["-n", "hostile", "link"]).contains(" a@"), "it does not stay there");
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

//! A local network of stations, on the switch or on the Linux bridge.
//!
//! ```text
//!   namespace a1        the sandbox         namespace a2
//!   ┌────────┐     ┌──────────────────┐     ┌────────┐
//!   │  eth0 ─┼─────┼─ a1  switch  a2 ─┼─────┼─ eth0  │    eth0 of a1 has 02:00:00:00:00:01
//!   └────────┘     └──────────────────┘     └────────┘
//! ```
//! IPv6 and ARP are off at both ends, so that only the frames of the test are on the wire.

use std::{
    fs,
    time::{Duration, Instant},
};

use bytes::Bytes;
use vswitch_common::addr::MacAddr;

use crate::{
    device,
    frame::{Frame, station},
    iproute::{bridge, bridge_json, ip, ip_json},
    port::{Port, wait_any},
    sandbox::{NetNs, Sandbox},
    state::{self, Snapshot},
    vswitch::Cli,
    wait,
};

/// How long the wire must be silent before it counts as such.
const QUIET: Duration = Duration::from_millis(25);

/// What connects the stations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The product.
    Vswitch,
    /// The Linux bridge: what the product must be like.
    Bridge,
}

/// One port and the station behind it.
#[derive(Debug)]
pub struct Station {
    /// Name of the port, which is the name of its device.
    pub port: String,
    /// Its own address.
    pub mac: MacAddr,
    /// Its namespace; the interface there is `eth0`.
    pub namespace: NetNs,
    /// Its wire.
    pub wire: Port,
}

/// Stations that are connected.
#[derive(Debug)]
pub struct Lan<'a> {
    sandbox: &'a Sandbox,
    /// What connects them.
    pub kind: Kind,
    /// Name of the switch, or of the bridge.
    pub name: String,
    prefix: char,
    /// The stations, in the order of their ports.
    pub stations: Vec<Station>,
    cli: Option<Cli>,
}

impl<'a> Lan<'a> {
    /// That many stations.
    pub fn new(sandbox: &'a Sandbox, kind: Kind, stations: usize) -> Self {
        let mut lan = Self::empty(sandbox, kind, "lab", 'a');
        for _ in 0..stations {
            lan.add(&[]);
        }
        lan
    }

    /// That many stations on a switch `lab` that is made with these words.
    pub fn on_switch(sandbox: &'a Sandbox, words: &[&str], stations: usize) -> Self {
        let mut lan = Self::empty_with(sandbox, Kind::Vswitch, "lab", 'a', words);
        for _ in 0..stations {
            lan.add(&[]);
        }
        lan
    }

    /// No station yet. The letter begins the names of its ports.
    pub fn empty(sandbox: &'a Sandbox, kind: Kind, name: &str, prefix: char) -> Self {
        Self::empty_with(sandbox, kind, name, prefix, &[])
    }

    fn empty_with(sandbox: &'a Sandbox, kind: Kind, name: &str, prefix: char, words: &[&str]) -> Self {
        device::no_ipv6();
        let cli = match kind {
            Kind::Vswitch => {
                let cli = Cli::find();
                cli.ok(&[&["switch", "add", name], words].concat());
                Some(cli)
            }
            Kind::Bridge => {
                let options = ["stp_state", "0", "mcast_snooping", "0", "nf_call_iptables", "0"];
                // Else a port that is set to learning by hand would forward after a while.
                let patience = ["forward_delay", "0"];
                ip(&[&["link", "add", name, "type", "bridge"], &options[..], &patience].concat());
                ip(&["link", "set", name, "up"]);
                None
            }
        };
        Self { sandbox, kind, name: name.to_owned(), prefix, stations: Vec::new(), cli }
    }

    /// One more station, with more arguments for `port add` (the bridge only understands `--mtu`). Gives its index.
    pub fn add(&mut self, arguments: &[&str]) -> usize {
        let index = self.stations.len();
        let number = u16::try_from(index + 1).expect("few stations");
        let port = format!("{}{number}", self.prefix);
        let mac = station(number);
        let namespace = self.sandbox.netns(&port).expect("namespace");
        namespace.run(device::no_ipv6).expect("enter the namespace");
        match &self.cli {
            Some(cli) => {
                let mac = mac.to_string();
                let add = ["port", "add", &self.name, &port, "--netns", &port, "--mac", &mac];
                cli.ok(&[&add, arguments].concat());
            }
            None => self.add_to_bridge(&port, mac, arguments),
        }
        let wire = namespace.run(|| device::change_flags("eth0", libc::IFF_NOARP, 0)).expect("enter");
        wire.expect("switch ARP off");
        let wire = Port::open(&namespace, "eth0").expect("packet socket");
        self.stations.push(Station { port, mac, namespace, wire });
        index
    }

    fn add_to_bridge(&self, port: &str, mac: MacAddr, arguments: &[&str]) {
        let mtu =
            arguments.iter().position(|argument| *argument == "--mtu").map_or("1500", |at| arguments[at + 1]);
        let peer = ["peer", "name", "eth0", "netns", port, "address", &mac.to_string(), "mtu", mtu];
        ip(&[&["link", "add", port, "mtu", mtu, "type", "veth"], &peer[..]].concat());
        ip(&["-n", port, "link", "set", "eth0", "up"]);
        ip(&["link", "set", port, "up"]);
        ip(&["link", "set", port, "master", &self.name]);
        wait::until("the bridge port forwards", || {
            bridge_json(&["link", "show", "dev", port])[0]["state"] == "forwarding"
        });
    }

    /// The command under test; only a switch has one.
    pub fn cli(&self) -> &Cli {
        self.cli.as_ref().expect("a switch, not a bridge")
    }

    /// The address of a station.
    pub fn mac(&self, station: usize) -> MacAddr {
        self.stations[station].mac
    }

    /// The name of a station's port.
    pub fn port(&self, station: usize) -> &str {
        &self.stations[station].port
    }

    /// The address of the port's own device, at the switch's end.
    pub fn port_mac(&self, station: usize) -> MacAddr {
        let path = format!("/sys/class/net/{}/address", self.port(station));
        fs::read_to_string(path).expect("address").trim().parse().expect("address")
    }

    /// All stations but one.
    pub fn others(&self, station: usize) -> Vec<usize> {
        (0..self.stations.len()).filter(|other| *other != station).collect()
    }

    /// Sends a frame from a station, and expects that exactly these stations get it, unchanged and exactly once, and
    /// that nothing else is on any wire. On a switch the counters must add up.
    ///
    /// # Panics
    /// When it is not like that, with what each station got instead and the tables.
    #[track_caller]
    pub fn expect(&self, from: usize, frame: &Frame, to: &[usize]) {
        let bytes = frame.build();
        let before = self.counters();
        self.stations[from].wire.send(&bytes).expect("send");
        self.expect_arrival(&bytes, to, &format!("{frame:?} from {}", self.port(from)));
        if let (Some(before), Some(after)) = (before, self.counters()) {
            let port = self.port(from);
            assert_eq!(after[port].rx_frames, before[port].rx_frames + 1, "{frame:?}: {after:?}");
        }
    }

    /// Expects that exactly these stations get these bytes, after something was sent.
    ///
    /// # Panics
    /// As [`Self::expect`].
    #[track_caller]
    pub fn expect_arrival(&self, bytes: &Bytes, to: &[usize], what: &str) {
        let got = self.collect(|got| to.iter().all(|station| !got[*station].is_empty()));
        for (station, frames) in got.iter().enumerate() {
            let expected = if to.contains(&station) { &[bytes.clone()][..] } else { &[] };
            assert!(
                frames == expected,
                "{what}\nexpected at {to:?}; station {station} got {} frames: {frames:02x?}\n{}",
                frames.len(),
                self.dump()
            );
        }
    }

    /// What each station gets until the condition holds (or [`wait::DEADLINE`] has passed: two seconds are enough
    /// for frames) and then nothing more arrives for a while.
    pub fn collect(&self, done: impl Fn(&[Vec<Bytes>]) -> bool) -> Vec<Vec<Bytes>> {
        let wires: Vec<&Port> = self.stations.iter().map(|station| &station.wire).collect();
        let mut got = vec![Vec::new(); wires.len()];
        let end = Instant::now() + wait::DEADLINE / 5;
        loop {
            let deadline = if done(&got) { Instant::now() + QUIET } else { end };
            let arrived = wait_any(&wires, deadline).expect("poll");
            for (wire, frames) in wires.iter().zip(&mut got) {
                // An interface that went down is said once, as an error of the socket.
                while let Some(frame) = wire.try_receive().ok().flatten() {
                    frames.push(frame);
                }
            }
            if arrived == 0 && Instant::now() >= deadline {
                return got;
            }
        }
    }

    /// Lets every station say something, so that each address is known.
    #[track_caller]
    pub fn introduce(&self) {
        for index in 0..self.stations.len() {
            self.expect(index, &Frame::broadcast(self.mac(index)), &self.others(index));
        }
    }

    /// The counters, after checking that they add up; a bridge has none.
    #[track_caller]
    pub fn counters(&self) -> Option<Snapshot> {
        self.cli.as_ref().map(|cli| state::counters(cli, &self.name))
    }

    /// Everything that helps to understand a failure.
    pub fn dump(&self) -> String {
        match &self.cli {
            Some(cli) => state::dump(cli, &self.name),
            None => bridge(&["fdb", "show", "br", &self.name]),
        }
    }

    /// Lifetime of a learned address in seconds.
    #[track_caller]
    pub fn set_ageing(&self, seconds: u32) {
        if let Some(cli) = &self.cli {
            cli.ok(&["switch", "set", &self.name, &format!("ageing={seconds}")]);
        } else {
            let time = (seconds * 100).to_string();
            ip(&["link", "set", &self.name, "type", "bridge", "ageing_time", &time]);
        }
    }

    /// Sets a knob of a port. The names are the same on both, but for `-` and `_`.
    #[track_caller]
    pub fn set_flag(&self, station: usize, flag: &str, on: bool) {
        let word = if on { "on" } else { "off" };
        match &self.cli {
            Some(cli) => {
                drop(cli.ok(&["port", "set", &self.name, self.port(station), &format!("{flag}={word}")]));
            }
            None => drop(bridge(&["link", "set", "dev", self.port(station), &flag.replace('-', "_"), word])),
        }
    }

    /// Waits until a port that comes up is up. The kernel notices a carrier some time later, and lets nothing pass before.
    #[track_caller]
    pub fn until_up(&self, station: usize) {
        let name = self.port(station);
        let is_up = |arguments: &[&str]| ip_json(arguments)[0]["operstate"] == "UP";
        wait::until("the link is up", || {
            is_up(&["-n", name, "link", "show", "eth0"]) && is_up(&["link", "show", name])
        });
        if self.kind == Kind::Bridge {
            wait::until("the bridge port forwards", || {
                bridge_json(&["link", "show", "dev", name])[0]["state"] == "forwarding"
            });
        }
    }

    /// Sets the state of a port by hand: `disabled`, `blocking`, `learning` or `forwarding`.
    #[track_caller]
    pub fn set_state(&self, station: usize, state: &str) {
        if let Some(cli) = &self.cli {
            cli.ok(&["port", "set", &self.name, self.port(station), &format!("state={state}")]);
            return;
        }
        let number = match state {
            "disabled" => "0",
            // A bridge without STP does not stay in `blocking`; `listening` is the same for frames.
            "blocking" => "1",
            "learning" => "2",
            _ => "3",
        };
        bridge(&["link", "set", "dev", self.port(station), "state", number]);
    }

    /// Sets keys of a port of a switch.
    #[track_caller]
    pub fn set(&self, station: usize, words: &[&str]) {
        self.cli().ok(&[&["port", "set", &self.name, self.port(station)], words].concat());
    }

    /// What `port list` says about a port of a switch.
    #[track_caller]
    pub fn row(&self, station: usize) -> serde_json::Value {
        let rows = self.cli().rows(&["port", "list", &self.name]);
        rows.into_iter().find(|row| row["port"] == self.port(station)).expect("the port is listed")
    }

    /// What `fdb list` says about an address; null if nothing.
    #[track_caller]
    pub fn entry(&self, mac: MacAddr) -> serde_json::Value {
        let rows = self.cli().rows(&["fdb", "list", &self.name]);
        rows.into_iter().find(|row| row["mac"] == mac.to_string().as_str()).unwrap_or_default()
    }

    /// Where the learned addresses are: (address, port).
    #[track_caller]
    pub fn learned(&self) -> Vec<(String, String)> {
        let mut found: Vec<(String, String)> = match &self.cli {
            Some(cli) => cli
                .rows(&["fdb", "list", &self.name])
                .iter()
                .filter(|row| row["kind"] == "dynamic")
                .map(|row| (text(&row["mac"]), text(&row["port"])))
                .collect(),
            None => bridge_json(&["fdb", "show", "br", &self.name, "dynamic"])
                .iter()
                .filter(|row| row["state"] != "permanent" && row["master"] == self.name.as_str())
                .map(|row| (text(&row["mac"]), text(&row["ifname"])))
                .collect(),
        };
        found.sort();
        found
    }

    /// Forgets one learned address.
    #[track_caller]
    pub fn forget(&self, mac: MacAddr, station: usize) {
        let mac = mac.to_string();
        match &self.cli {
            Some(cli) => drop(cli.ok(&["fdb", "del", &self.name, &mac])),
            None => drop(bridge(&["fdb", "del", &mac, "dev", self.port(station), "master", "dynamic"])),
        }
    }

    /// Forgets all learned addresses.
    #[track_caller]
    pub fn flush(&self) {
        match &self.cli {
            Some(cli) => drop(cli.ok(&["fdb", "flush", &self.name])),
            None => drop(ip(&["link", "set", &self.name, "type", "bridge", "fdb_flush"])),
        }
    }

    /// Takes a station's port away. Its namespace stays, and its index stays taken; nothing arrives there any more.
    #[track_caller]
    pub fn remove_port(&self, station: usize) {
        match &self.cli {
            Some(cli) => drop(cli.ok(&["port", "del", &self.name, self.port(station)])),
            None => drop(ip(&["link", "del", self.port(station)])),
        }
    }
}

fn text(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Runs the same tests on the bridge, which proves them right, and on the switch.
#[macro_export]
macro_rules! on_both {
    ($($(#[$attribute:meta])* $name:ident),* $(,)?) => {
        mod on_bridge {
            $($(#[$attribute])* #[test] fn $name() { super::$name($crate::topology::Kind::Bridge); })*
        }
        mod on_vswitch {
            $($(#[$attribute])* #[test] fn $name() { super::$name($crate::topology::Kind::Vswitch); })*
        }
    };
}

//! What is changed between the bursts: every knob that both sides have, in one table.

use std::fmt;

use super::{
    PORTS,
    frames::{any_address, any_host, v4, v6},
};
use crate::{
    frame::station,
    iproute, netlink,
    random::Random,
    topology::{Kind, Lan},
};

/// A knob, as a user of each side turns it.
///
/// In the commands `{switch}` is the bridge or the switch, `{port}` and `{other}` are ports, `{mac}`, `{v4}` and `{v6}`
/// addresses, and `{value}` is the value that was drawn. A command of the switch is one of `vswitch`, unless it begins
/// with `ip`, `bridge` or `netlink` ([`netlink::attempt`], for what the installed iproute2 is too old for); several are
/// separated by `;`. Both sides must accept a change, or both must refuse it.
#[derive(Debug)]
pub struct Knob {
    /// How often it is drawn, compared with the others.
    weight: usize,
    /// For the bridge.
    bridge: &'static str,
    /// For the switch.
    vswitch: &'static str,
    /// What may be drawn: the bridge's word and the switch's. A value that is there twice is drawn twice as often: knobs
    /// are mostly at their defaults, or no frame would pass.
    values: &'static [(&'static str, &'static str)],
    /// What a change does to the links.
    link: Link,
}

/// What a change does to the link of its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Nothing.
    Stays,
    /// It goes down.
    Down,
    /// It comes up.
    Up,
    /// It goes down and comes up.
    Bounces,
}

const MOSTLY_ON: &[(&str, &str)] = &[("on", "on"), ("on", "on"), ("on", "on"), ("on", "on"), ("off", "off")];
const MOSTLY_OFF: &[(&str, &str)] =
    &[("off", "off"), ("off", "off"), ("off", "off"), ("off", "off"), ("on", "on")];
const NONE: &[(&str, &str)] = &[("", "")];

/// A knob that is on or off.
const fn flag(
    bridge: &'static str,
    vswitch: &'static str,
    values: &'static [(&'static str, &'static str)],
) -> Knob {
    Knob { weight: 4, bridge, vswitch, values, link: Link::Stays }
}

/// A change that has no value.
const fn action(weight: usize, bridge: &'static str, vswitch: &'static str) -> Knob {
    Knob { weight, bridge, vswitch, values: NONE, link: Link::Stays }
}

/// Every knob that both sides have, but for those of docs/differences.md. Entries of a control plane (`extern_learn`) are
/// not here: on a bridge they keep that mark when the user replaces them; see `tests/tests/fdb_kinds.rs`.
pub const KNOBS: &[Knob] = &[
    flag(
        "bridge link set dev {port} learning {value}",
        "port set {switch} {port} learning={value}",
        MOSTLY_ON,
    ),
    flag("bridge link set dev {port} flood {value}", "port set {switch} {port} flood={value}", MOSTLY_ON),
    flag(
        "bridge link set dev {port} mcast_flood {value}",
        "port set {switch} {port} mcast-flood={value}",
        MOSTLY_ON,
    ),
    flag(
        "bridge link set dev {port} bcast_flood {value}",
        "port set {switch} {port} bcast-flood={value}",
        MOSTLY_ON,
    ),
    flag(
        "bridge link set dev {port} isolated {value}",
        "port set {switch} {port} isolated={value}",
        MOSTLY_OFF,
    ),
    flag(
        "bridge link set dev {port} hairpin {value}",
        "port set {switch} {port} hairpin={value}",
        MOSTLY_OFF,
    ),
    flag("bridge link set dev {port} locked {value}", "port set {switch} {port} locked={value}", MOSTLY_OFF),
    Knob {
        weight: 4,
        bridge: "bridge link set dev {port} state {value}",
        vswitch: "port set {switch} {port} state={value}",
        // A bridge without STP does not stay in `blocking`; `listening` is the same for frames.
        values: &[
            ("3", "forwarding"),
            ("3", "forwarding"),
            ("3", "forwarding"),
            ("3", "forwarding"),
            ("3", "forwarding"),
            ("3", "forwarding"),
            ("2", "learning"),
            ("1", "blocking"),
            ("0", "disabled"),
        ],
        link: Link::Stays,
    },
    Knob {
        weight: 4,
        bridge: "ip link set {switch} type bridge group_fwd_mask {value}",
        vswitch: "switch set {switch} group-fwd-mask={value}",
        values: &[("0", "0"), ("0x4000", "0x4000"), ("0xfff8", "0xfff8"), ("0x1110", "0x1110")],
        link: Link::Stays,
    },
    Knob {
        weight: 1,
        bridge: "ip link set {switch} type bridge no_linklocal_learn {value}",
        vswitch: "switch set {switch} linklocal-learn={value}",
        values: &[("0", "on"), ("1", "off")],
        link: Link::Stays,
    },
    flag(
        "bridge link set dev {port} neigh_suppress {value}",
        "port set {switch} {port} neigh-suppress={value}",
        MOSTLY_OFF,
    ),
    flag("netlink {port} proxy_arp {value}", "port set {switch} {port} proxy-arp={value}", MOSTLY_OFF),
    flag(
        "netlink {port} proxy_arp_wifi {value}",
        "port set {switch} {port} proxy-arp-wifi={value}",
        MOSTLY_OFF,
    ),
    action(
        2,
        "ip neigh replace {v4} lladdr {mac} dev {switch} nud permanent",
        "neigh replace {switch} {v4} {mac}",
    ),
    action(
        2,
        "ip neigh replace {v6} lladdr {mac} dev {switch} nud permanent",
        "neigh replace {switch} {v6} {mac}",
    ),
    Knob {
        weight: 2,
        bridge: "netlink {port} group_fwd_mask {value}",
        vswitch: "port set {switch} {port} group-fwd-mask={value}",
        // The switch takes bits that the bridge refuses.
        values: &[("0x0", "0x0"), ("0x0", "0x0"), ("0x4000", "0x4000"), ("0xfffc", "0xfffc")],
        link: Link::Stays,
    },
    action(
        2,
        "bridge link set dev {port} backup_port {other}",
        "port set {switch} {port} backup-port={other}",
    ),
    action(3, "bridge link set dev {port} nobackup_port", "port set {switch} {port} backup-port=none"),
    // What a bridge calls static follows its station, unless it is sticky; a switch's static addresses never move.
    action(
        6,
        "bridge fdb replace {mac} dev {port} master static sticky",
        "fdb replace {switch} {mac} {port}",
    ),
    action(
        4,
        "bridge fdb replace {mac} dev {port} master dynamic sticky",
        "fdb replace {switch} {mac} {port} --sticky",
    ),
    action(
        2,
        "bridge fdb replace {mac} dev {port} master dynamic",
        "fdb replace {switch} {mac} {port} --dynamic",
    ),
    flag("netlink {port} mab {value}", "port set {switch} {port} mab={value}", MOSTLY_OFF),
    action(
        3,
        "bridge link set dev {port} locked on; netlink {port} mab on",
        "port set {switch} {port} locked=on; port set {switch} {port} mab=on",
    ),
    action(
        3,
        "netlink {port} mab off; bridge link set dev {port} locked off",
        "port set {switch} {port} mab=off; port set {switch} {port} locked=off",
    ),
    action(12, "bridge fdb del {mac} dev {port} master", "fdb del {switch} {mac} {port}"),
    action(1, "ip link set {switch} type bridge fdb_flush", "fdb flush {switch}"),
    // `ip link set PORT type bridge_slave fdb_flush` would switch a disabled port on again.
    action(
        3,
        "bridge fdb flush dev {switch} brport {port} nopermanent nostatic",
        "fdb flush {switch} --port {port}",
    ),
    // A bridge forgets a port's state when the link goes down.
    Knob {
        weight: 1,
        bridge: "ip link set {port} down",
        vswitch: "port set {switch} {port} state=forwarding; ip link set {port} down",
        values: NONE,
        link: Link::Down,
    },
    Knob {
        weight: 2,
        bridge: "ip link set {port} up",
        // The second command voids the verdicts that send its frames to a backup: the switch does not notice that the
        // link comes up.
        vswitch: "ip link set {port} up; port set {switch} {port} state=forwarding",
        values: NONE,
        link: Link::Up,
    },
    Knob {
        weight: 1,
        bridge: "ip link set {port} down; ip link set {port} up",
        vswitch: "port set {switch} {port} state=forwarding; ip link set {port} down; ip link set {port} up; \
                  port set {switch} {port} state=forwarding",
        values: NONE,
        link: Link::Bounces,
    },
];

/// One turn of a knob.
#[derive(Clone, Debug)]
pub struct Change {
    knob: &'static Knob,
    /// The station whose port it is about.
    pub port: usize,
    /// Another station, or the same.
    other: usize,
    mac: String,
    host: u16,
    value: (&'static str, &'static str),
}

impl Change {
    /// Any.
    pub fn any(random: &mut Random) -> Self {
        let mut left = random.below(KNOBS.iter().map(|knob| knob.weight).sum());
        let knob = KNOBS.iter().find(|knob| {
            let here = left < knob.weight;
            left = left.saturating_sub(knob.weight);
            here
        });
        let knob = knob.expect("the weights add up");
        let mac = if random.once_in(4) {
            station(0x7f0 + u16::from(random.number().to_le_bytes()[0] % 16))
        } else {
            any_address(random)
        };
        let (port, other, host) = (random.below(PORTS), random.below(PORTS), any_host(random));
        Self { knob, port, other, mac: mac.to_string(), host, value: *random.pick(knob.values) }
    }

    /// What it does to the link of the port.
    pub fn link(&self) -> Link {
        self.knob.link
    }

    /// The commands for one side.
    fn commands(&self, lan: &Lan) -> Vec<String> {
        let (template, value) = match lan.kind {
            Kind::Bridge => (self.knob.bridge, self.value.0),
            Kind::Vswitch => (self.knob.vswitch, self.value.1),
        };
        let text = template
            .replace("{switch}", &lan.name)
            .replace("{port}", lan.port(self.port))
            .replace("{other}", lan.port(self.other));
        let text = self.fill(&text).replace("{value}", value);
        text.split(';').map(|command| command.trim().to_owned()).collect()
    }

    /// Fills in what is the same on both sides.
    fn fill(&self, template: &str) -> String {
        template
            .replace("{mac}", &self.mac)
            .replace("{v4}", &v4(self.host).to_string())
            .replace("{v6}", &v6(self.host).to_string())
    }

    /// Makes the change on one side; what that said if it refused it.
    pub fn apply(&self, lan: &Lan) -> Result<(), String> {
        for command in self.commands(lan) {
            let words: Vec<&str> = command.split_whitespace().collect();
            match &words[..] {
                [program @ ("ip" | "bridge"), rest @ ..] => {
                    iproute::attempt(program, rest)?;
                    continue;
                }
                ["netlink", rest @ ..] => {
                    netlink::attempt(rest)?;
                    continue;
                }
                _ => {}
            }
            let output = lan.cli().run(&words);
            match output.code {
                Some(0) => {}
                Some(1 | 2) => return Err(output.stderr),
                _ => panic!("`{}` died: {output:?}", output.command),
            }
        }
        Ok(())
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { knob, port, other, value, .. } = self;
        let text = self.fill(knob.vswitch).replace("{switch}", "SW").replace("{value}", value.1);
        let [port, other] = [port, other].map(|port| format!("PORT{}", port + 1));
        f.write_str(&text.replace("{port}", &port).replace("{other}", &other))
    }
}

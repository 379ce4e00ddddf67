//! `vswitch port`: make, remove, list, change.

use std::net::IpAddr;

use anyhow::{Result, anyhow};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use ipnet::IpNet;
use vswitch_common::addr::MacAddr;

use super::{output::Report, value};
use crate::{
    config::{
        keys::{KeyValue, on},
        port::{FLAGS, PortOptions},
    },
    control::port::{
        self,
        guards::{GuardView, ShutView},
        list::{Counters, PortView},
        request::{Place, PortRequest},
    },
    datapath::Store,
    host::Host,
    name::{IfName, NsName, SwitchName},
};

const KEYS: &str = "Keys (on|off; in brackets what a new port has):\n  \
    learning      learn source addresses [on]\n  \
    flood         send unknown unicast out of this port [on]\n  \
    mcast-flood   send multicast out of this port [on]\n  \
    bcast-flood   send broadcast out of this port [on]\n  \
    isolated      no frame passes between two isolated ports [off]\n  \
    hairpin       frames may leave by the port by which they came [off]\n  \
    locked        admit only sources that are in the FDB on this port [off]\n  \
    proxy-arp     answer ARP questions that come by this port; flood nothing to it [off]\n  \
    proxy-arp-wifi  answer ARP questions for stations behind this port, and spare them to it [off]\n  \
    neigh-suppress  the same, for ARP and IPv6; spare it announcements as well [off]\n  \
                  (answers are from `vswitch neigh list`)\n  \
    mab           note the other sources in the FDB as locked ones; needs locked and learning, and on\n                  the switch linklocal-learn=off, or EAPOL itself lets its sender in [off]\n  \
    guard         a BPDU shuts the port for the switch's `hold` time [off]\n  \
    loop-guard    a frame of the switch that comes back, or a loop, shuts it likewise [off]\n  \
    spoof-check   admit only sources that are bound to the port: MAC, ARP and IP [off]; `on` for the addresses\n  \
    \x20             given to `port add`, or spoof-check=MAC[,IP...]\n\
    Others:\n  \
    state=forwarding|learning|blocking|disabled   `forwarding` also opens a port that a guard has shut\n  \
    max-macs=N|none     addresses learned behind the port; more pass without being learned [none]\n  \
    move-guard=off|log|hold|shut   when addresses move here more often than `move-limit`: tell,\n                      \
    leave them where they are and drop their frames, or shut the port [off]\n  \
    redirect=peer|dev   how frames leave; by `dev`, XDP programs and sniffers there see all\n  \
    description=TEXT    what the port is for\n  \
    backup-port=PORT    the port that takes over while this one's device is down; or `none`\n  \
    group-fwd-mask=MASK bit X: forward frames to 01:80:c2:00:00:0X that come by this port (0)\n\
    Meters, `off` or RATE[:BURST], such as 1000pps:50p or 10mbit:64kb (kpps, kbit, gbit; kp, b, mb):\n  \
    storm-broadcast, storm-multicast, storm-unknown   what the port may flood of each kind [off]\n  \
    police-in, police-out                             all that it may receive, and send [off]\n\
    VLANs (with `vswitch switch set SW vlan-filtering=on`; sets such as `1,10-20`, `all`, `none`):\n  \
    access=VID          in one VLAN, without tags: short for pvid=VID untagged=VID tagged=none\n  \
    trunk=SET           frames of these VLANs have tags; others are dropped, but for:\n  \
    native=VID          the VLAN of a trunk's untagged frames\n  \
    pvid=VID|none       VLAN of untagged frames that come in; `none` drops them\n  \
    tagged=SET          VLANs whose frames leave with a tag\n  \
    untagged=SET        VLANs whose frames leave without one\n  \
    vlan-map=W:I,...    VLAN W on the wire is VLAN I in the switch, both ways; or `none`";

/// What to do with ports.
#[derive(Debug, Subcommand)]
pub enum PortCommand {
    /// Make a port: device, namespace, addresses and program in one go
    #[command(after_help = format!("{KEYS}\n\nExamples:\n  \
        vswitch port add lab web --netns web --ip 10.0.0.2/24 --via 10.0.0.1\n  \
        vswitch port add lab box --pid 4711 --ifname eth1 --ip 10.0.0.3/24\n  \
        vswitch port add lab vm0 --tap --owner qemu\n  \
        vswitch port add lab eth1 --dev\n  \
        vswitch port add lab up0 --host --ip 10.0.0.1/24"))]
    Add(Box<AddArgs>),
    /// Remove a port, with what was made for it
    #[command(
        after_help = "Examples:\n  vswitch port del lab web\n\nAn adopted device is returned as it was found."
    )]
    Del(PortArgs),
    /// List the ports of a switch, or all ports
    #[command(after_help = "Examples:\n  vswitch port list lab\n  vswitch --json port list lab")]
    List(ListArgs),
    /// Show one port with all its counters
    #[command(after_help = "Examples:\n  vswitch port show lab web")]
    Show(PortArgs),
    /// Change a port; effective for the very next frame
    #[command(after_help = format!("{KEYS}\n\nExamples:\n  vswitch port set lab web flood=off isolated=on"))]
    Set(SetArgs),
}

/// The program that decides about a port's frames.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Datapath {
    /// The best for the kind of port
    Auto,
    /// The complete switch, in tc
    Tc,
}

/// A port to be made.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[command(group(ArgGroup::new("place").required(true).args(["netns", "pid", "tap", "dev", "host"])))]
pub struct AddArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The port: name of its device on the host
    #[arg(value_name = "PORT")]
    name: IfName,
    /// Into this namespace, which is made if it does not exist
    #[arg(long, value_name = "NS")]
    netns: Option<NsName>,
    /// Into the namespace of this process, such as a container's
    #[arg(long)]
    pid: Option<u32>,
    /// A persistent tap, for a virtual machine or a program
    #[arg(long)]
    tap: bool,
    /// An existing device, such as a network card
    #[arg(long)]
    dev: bool,
    /// To the host itself
    #[arg(long)]
    host: bool,
    /// Name of the interface at the other end (eth0; with --host: PORT-host)
    #[arg(long, value_name = "NAME", conflicts_with_all = ["tap", "dev"])]
    ifname: Option<IfName>,
    /// Address of the other end, with its prefix length; may be given several times
    #[arg(long = "ip", value_name = "CIDR", value_parser = value::cidr)]
    ips: Vec<IpNet>,
    /// Default gateway of the other end
    #[arg(long, value_name = "GW")]
    via: Option<IpAddr>,
    /// MAC address of the other end
    #[arg(long, value_parser = value::station)]
    mac: Option<MacAddr>,
    /// MTU of both ends, 68 to 65535
    #[arg(long)]
    mtu: Option<u32>,
    /// User who may open the tap without privileges
    #[arg(long, value_name = "USER", value_parser = value::user, requires = "tap")]
    owner: Option<u32>,
    /// Frames of the tap carry a virtio-net header, so that offloads pass
    #[arg(long, requires = "tap")]
    vnet_header: bool,
    /// The program that decides
    #[arg(long, value_enum, default_value = "auto")]
    datapath: Datapath,
    /// What the port is to be like
    #[arg(value_name = "KEY=VALUE")]
    words: Vec<KeyValue>,
}

/// Which port.
#[derive(Debug, Args)]
pub struct PortArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The port
    #[arg(value_name = "PORT")]
    name: IfName,
}

/// Whose ports.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The switch; all if absent
    #[arg(value_name = "SW")]
    switch: Option<SwitchName>,
}

/// Which port, and what it is to be like.
#[derive(Debug, Args)]
pub struct SetArgs {
    #[command(flatten)]
    port: PortArgs,
    /// What the port is to be like
    #[arg(value_name = "KEY=VALUE", required = true)]
    words: Vec<KeyValue>,
}

/// Does what the command says.
pub async fn run(command: PortCommand) -> Result<Report> {
    let store = Store::open()?;
    let host = Host::here()?;
    match command {
        PortCommand::Add(args) => {
            let (switch, request) = request(*args)?;
            port::add::add(&store, &host, &switch, &request).await?;
        }
        PortCommand::Del(PortArgs { switch, name }) => port::del::del(&store, &host, &switch, &name).await?,
        PortCommand::Set(SetArgs { port: PortArgs { switch, name }, words }) => {
            port::set::set(&store, &host, &switch, &name, &PortOptions::parse(&words)?).await?;
        }
        PortCommand::Show(PortArgs { switch, name }) => {
            return details(&port::list::list(&store, &host, &switch, Some(&name)).await?);
        }
        PortCommand::List(ListArgs { switch }) => {
            let views = match switch {
                Some(one) => port::list::list(&store, &host, &one, None).await?,
                None => port::list::list_all(&store, &host).await?,
            };
            return table(&views);
        }
    }
    Ok(Report::silent())
}

fn request(args: AddArgs) -> Result<(SwitchName, PortRequest)> {
    let AddArgs {
        switch,
        name,
        netns,
        pid,
        tap,
        dev: _,
        host,
        ifname,
        ips,
        via,
        mac,
        mtu,
        owner,
        vnet_header,
        datapath: Datapath::Auto | Datapath::Tc,
        words,
    } = args;
    let inside = || ifname.clone().map_or_else(|| "eth0".parse(), Ok);
    let place = match (netns, pid) {
        (Some(ns), _) => Place::Netns { ns, ifname: inside()? },
        (None, Some(pid)) => Place::Pid { pid, ifname: inside()? },
        (None, None) if tap => Place::Tap { owner, vnet_header },
        (None, None) if host => Place::Host { ifname: host_ifname(ifname.clone(), &name)? },
        (None, None) => Place::Dev,
    };
    let options = PortOptions::parse(&words)?;
    Ok((switch, PortRequest { name, place, ips, via, mac, mtu, options }))
}

/// The interface beside a host port: named after it, if that is short enough.
fn host_ifname(asked: Option<IfName>, port: &IfName) -> Result<IfName> {
    if let Some(asked) = asked {
        return Ok(asked);
    }
    format!("{port}-host").parse().map_err(|error| anyhow!("{error}, so name it by `--ifname`"))
}

fn table(views: &[PortView]) -> Result<Report> {
    let header = ["switch", "port", "kind", "state", "leads to", "mtu", "rx", "tx", "dropped", "not default"];
    Ok(Report::table(&header, views, |view| {
        vec![
            view.switch.clone(),
            view.port.clone(),
            view.kind.to_owned(),
            state(view),
            leads_to(view),
            view.mtu.to_string(),
            view.counters.rx_frames.to_string(),
            view.counters.tx_frames.to_string(),
            dropped(&view.counters).to_string(),
            unusual(view),
        ]
    })?)
}

fn details(views: &[PortView]) -> Result<Report> {
    let mut blocks = Vec::new();
    for view in views {
        let counters = &view.counters;
        let mut lines = vec![
            format!("port       {} of switch {}", view.port, view.switch),
            format!("kind       {}, leads to {}", view.kind, leads_to(view)),
            format!("state      {}, MTU {}", state(view), view.mtu),
            format!("learned    {}", learned(view)),
            format!(
                "datapath   {} ({}), frames leave {}",
                view.datapath,
                view.attach,
                if view.redirect == "peer" { "straight to the peer" } else { "by the device" }
            ),
            format!("options    {}", options(view)),
            format!("vlans      {}", vlans(view)),
            format!("others     {}", view.bridge_words().map(|(word, _)| word).join(" ")),
            format!("meters     {}", meters(view).unwrap_or_else(|| "none".to_owned())),
            format!(
                "bound      {}",
                if view.bound.is_empty() { "none".to_owned() } else { view.bound.join(" ") }
            ),
            format!("received   {} frames, {} bytes", counters.rx_frames, counters.rx_bytes),
            format!(
                "           {} forwarded, {} flooded, {} to the host, {} answered, {} dropped",
                counters.forwarded,
                counters.flooded,
                counters.local,
                counters.answered,
                dropped(counters)
            ),
            format!("sent       {} frames, {} bytes", counters.tx_frames, counters.tx_bytes),
        ];
        lines.extend(view.mirrors.iter().map(|mirror| format!("mirror     {mirror}")));
        if counters.mirrored != 0 {
            lines.push(format!("mirrored   {} copies", counters.mirrored));
        }
        if !view.description.is_empty() {
            lines.insert(1, format!("for        {}", view.description));
        }
        for (title, counts) in [("dropped", &counters.drops), ("not sent", &counters.tx_drops)] {
            lines.extend(counts.iter().map(|(reason, count)| format!("{title:<10} {count} {reason}")));
        }
        blocks.push(lines.join("\n"));
    }
    Ok(Report::new(blocks.join("\n\n"), &views)?)
}

pub(super) fn state(view: &PortView) -> String {
    view.guards.shut.as_ref().map_or_else(|| view.state.to_owned(), ShutView::text)
}

fn learned(view: &PortView) -> String {
    let GuardView { macs, max_macs, move_guard, .. } = &view.guards;
    let limit = if *max_macs == 0 { String::new() } else { format!(" of {max_macs}") };
    format!("{macs}{limit} addresses, move-guard={move_guard}")
}

pub(super) fn leads_to(view: &PortView) -> String {
    let ifname = view.peer_ifname.as_deref().unwrap_or("-");
    match (&view.netns, view.pid) {
        (Some(ns), _) => format!("{ifname} in {ns}"),
        (None, Some(pid)) => format!("{ifname} in pid:{pid}"),
        (None, None) => ifname.to_owned(),
    }
}

fn dropped(counters: &Counters) -> u64 {
    counters.drops.values().sum()
}

fn options(view: &PortView) -> String {
    let words: Vec<String> =
        FLAGS.iter().map(|(name, _)| format!("{name}={}", on(view.options[name]))).collect();
    words.join(" ")
}

fn meters(view: &PortView) -> Option<String> {
    let words: Vec<String> = view.meters.iter().map(|(key, meter)| format!("{key}={meter}")).collect();
    (!words.is_empty()).then(|| words.join(" "))
}

fn vlans(view: &PortView) -> String {
    let pvid = view.pvid.map_or_else(|| "none".to_owned(), |pvid| pvid.to_string());
    format!("pvid={pvid} untagged={} tagged={} vlan-map={}", view.untagged, view.tagged, view.vlan_map)
}

/// The keys that differ from what a new port has.
pub(super) fn unusual(view: &PortView) -> String {
    let mut words: Vec<String> = FLAGS
        .iter()
        .filter(|(name, bit)| view.options[name] != (vswitch_common::port::flag::DEFAULT & bit != 0))
        .map(|(name, _)| format!("{name}={}", on(view.options[name])))
        .collect();
    if view.redirect == "dev" && matches!(view.kind, "netns" | "pid") {
        words.push("redirect=dev".to_owned());
    }
    words.extend(view.unusual_vlans());
    words.extend(view.bridge_words().into_iter().filter(|(word, usual)| word != usual).map(|(word, _)| word));
    words.extend(meters(view));
    if view.guards.max_macs != 0 {
        words.push(format!("max-macs={}", view.guards.max_macs));
    }
    if view.guards.move_guard != "off" {
        words.push(format!("move-guard={}", view.guards.move_guard));
    }
    words.join(" ")
}

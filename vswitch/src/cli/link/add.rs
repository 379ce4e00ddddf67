//! `link add`.

mod veth;

use anyhow::Result;
use clap::{Args, Subcommand, builder::PossibleValuesParser};
use ipnet::IpNet;
use vswitch_common::addr::MacAddr;

use super::{super::value, namespace, row::rows};
use crate::{
    cli::output::Report,
    host::{
        Atlas, Change, Host, HostError, IpvlanMode, MacvlanMode, Netns, Uninterrupted, VirtualLink,
        tap::{TapSpec, create_persistent_tap},
    },
    name::{IfName, NsName},
};

/// What to make.
#[derive(Debug, Subcommand)]
pub enum AddCommand {
    /// A virtual cable with two ends, each in any namespace
    #[command(
        after_help = "Examples:\n  vswitch link add veth a --peer b\n  vswitch link add veth a --peer eth0 --peer-netns web --up\n  \
                            vswitch link add veth a --ip 10.0.0.1/24 --peer-netns web --peer-ip 10.0.0.2/24 --up\n\n\
                            Without --peer the other end gets a name of its own, which is printed."
    )]
    Veth(veth::VethArgs),
    /// A device whose frames a process reads and writes; it stays when no process has it open
    #[command(
        after_help = "Examples:\n  vswitch link add tap tap0 --user qemu --up\n  vswitch link add tap tap0 --vnet-header --multi-queue"
    )]
    Tap(TapArgs),
    /// A device whose IP packets a process reads and writes; it stays when no process has it open
    #[command(after_help = "Examples:\n  vswitch link add tun tun0 --user vpn --ip 10.8.0.1/24 --up")]
    Tun(TapArgs),
    /// A Linux bridge
    #[command(
        after_help = "Examples:\n  vswitch link add bridge br0 --up\n  vswitch link add bridge br0 --stp on"
    )]
    Bridge(BridgeArgs),
    /// Another MAC address on a device
    #[command(after_help = "Examples:\n  vswitch link add macvlan m0 --parent eth0 --mode bridge")]
    Macvlan(MacvlanArgs),
    /// Another MAC address on a device, for a process to read and write
    #[command(after_help = "Examples:\n  vswitch link add macvtap v0 --parent eth0 --mode passthru")]
    Macvtap(MacvlanArgs),
    /// Another IP address on a device, with the same MAC address
    #[command(after_help = "Examples:\n  vswitch link add ipvlan i0 --parent eth0 --mode l3")]
    Ipvlan(IpvlanArgs),
}

/// What every new link can have.
#[derive(Debug, Args)]
pub struct Common {
    /// Name of the interface
    name: IfName,
    /// Make it in this namespace
    #[arg(long, value_name = "NAME")]
    netns: Option<NsName>,
    /// Give it this address; may be repeated
    #[arg(long, value_parser = value::cidr, value_name = "CIDR")]
    ip: Vec<IpNet>,
    /// MTU in bytes
    #[arg(long)]
    mtu: Option<u32>,
    /// Ethernet address
    #[arg(long, value_parser = value::station)]
    mac: Option<MacAddr>,
    /// Bring it up
    #[arg(long)]
    up: bool,
}

/// A tun or tap.
#[derive(Debug, Args)]
pub struct TapArgs {
    #[command(flatten)]
    common: Common,
    /// User that may open it: a name or number
    #[arg(long, value_parser = value::user)]
    user: Option<u32>,
    /// Group that may open it: a name or number
    #[arg(long, value_parser = value::group)]
    group: Option<u32>,
    /// Let every frame begin with a virtio header, so that offloads pass
    #[arg(long)]
    vnet_header: bool,
    /// Let several queues be opened
    #[arg(long)]
    multi_queue: bool,
}

/// A bridge.
#[derive(Debug, Args)]
pub struct BridgeArgs {
    #[command(flatten)]
    common: Common,
    /// Spanning tree protocol
    #[arg(long, value_parser = ["on", "off"])]
    stp: Option<String>,
}

/// A macvlan or macvtap.
#[derive(Debug, Args)]
pub struct MacvlanArgs {
    #[command(flatten)]
    common: Common,
    /// The device below, in the same namespace
    #[arg(long, value_name = "DEV")]
    parent: IfName,
    /// Who may talk to whom on the device
    #[arg(long, default_value = "bridge", value_parser = PossibleValuesParser::new(MacvlanMode::WORDS))]
    mode: String,
}

/// An ipvlan.
#[derive(Debug, Args)]
pub struct IpvlanArgs {
    #[command(flatten)]
    common: Common,
    /// The device below, in the same namespace
    #[arg(long, value_name = "DEV")]
    parent: IfName,
    /// On which layer it forwards
    #[arg(long, default_value = "l2", value_parser = PossibleValuesParser::new(IpvlanMode::WORDS))]
    mode: String,
}

/// Makes a link.
pub(super) async fn run(command: AddCommand) -> Result<Report> {
    // Made and configured, or not there.
    let _whole = Uninterrupted::begin();
    match command {
        AddCommand::Veth(args) => veth::add(&args).await,
        AddCommand::Tap(args) => tap(&args, false).await,
        AddCommand::Tun(args) => tap(&args, true).await,
        AddCommand::Bridge(BridgeArgs { common, stp }) => {
            add(&common, None, |_| VirtualLink::Bridge { stp: stp.map(|word| word == "on") }).await
        }
        AddCommand::Macvlan(args) => macvlan(args, false).await,
        AddCommand::Macvtap(args) => macvlan(args, true).await,
        AddCommand::Ipvlan(IpvlanArgs { common, parent, mode }) => {
            let mode = IpvlanMode::from_word(&mode).unwrap_or(IpvlanMode::L2);
            add(&common, Some(&parent), |parent| VirtualLink::Ipvlan { parent, mode }).await
        }
    }
}

async fn macvlan(MacvlanArgs { common, parent, mode }: MacvlanArgs, tap: bool) -> Result<Report> {
    let mode = MacvlanMode::from_word(&mode).unwrap_or(MacvlanMode::Bridge);
    add(&common, Some(&parent), |parent| VirtualLink::Macvlan { parent, mode, tap }).await
}

async fn add(
    common: &Common,
    parent: Option<&IfName>,
    what: impl FnOnce(u32) -> VirtualLink,
) -> Result<Report> {
    let ns = namespace(common.netns.as_ref())?;
    let host = Host::at(&ns)?;
    let parent = match parent {
        Some(parent) => host.link(parent).await?.index,
        None => 0,
    };
    host.add_link(&common.name, what(parent)).await?;
    finish(&host, common).await
}

async fn tap(args: &TapArgs, tun: bool) -> Result<Report> {
    let TapArgs { common, user, group, vnet_header, multi_queue } = args;
    let ns: Netns = namespace(common.netns.as_ref())?;
    let spec = TapSpec {
        name: &common.name,
        tun,
        owner: *user,
        group: *group,
        vnet_header: *vnet_header,
        multi_queue: *multi_queue,
    };
    ns.run(|| create_persistent_tap(&spec))??;
    finish(&Host::at(&ns)?, common).await
}

/// Configures the new link; deletes it again if that fails.
async fn finish(host: &Host, common: &Common) -> Result<Report> {
    let Common { name, netns, ip, mtu, mac, up } = common;
    let link = host.link(name).await?;
    let mut changes: Vec<_> = mtu.map(Change::Mtu).into_iter().collect();
    changes.extend(mac.map(Change::Mac));
    changes.extend(ip.iter().copied().map(Change::AddAddress));
    changes.extend(up.then_some(Change::Up(true)));
    if let Err(failure) = host.apply(&link, &changes).await {
        return Err(discard(host, link.index, failure).await.into());
    }
    let row = rows(&mut Atlas::new()?, host, netns.as_ref(), &[host.link(name).await?]).await?.pop();
    Ok(Report::new("", &row)?)
}

/// Deletes a link that could not be finished.
async fn discard(host: &Host, index: u32, failure: HostError) -> HostError {
    match host.delete_link(index).await {
        Ok(()) | Err(HostError::LinkGone { .. }) => failure,
        Err(undo) => HostError::NotUndone { failure: Box::new(failure), undo: undo.to_string() },
    }
}

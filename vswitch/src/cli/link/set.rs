//! `link set`.

use anyhow::{Result, bail};
use clap::Args;
use ipnet::IpNet;
use serde::Serialize;
use vswitch_common::addr::MacAddr;

use super::{super::value, namespace, row::Row, row::rows};
use crate::{
    cli::output::{self, Report},
    host::{Atlas, Change, Host, Netns, move_link},
    name::{IfName, NsName},
};

/// What to change.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The interface
    name: IfName,
    /// The namespace that it is in
    #[arg(long = "in", value_name = "NETNS")]
    home: Option<NsName>,
    #[command(flatten)]
    changes: Changes,
    #[command(flatten)]
    target: Target,
}

#[derive(Debug, Args)]
struct Changes {
    /// Bring it up
    #[arg(long, conflicts_with = "down")]
    up: bool,
    /// Take it down
    #[arg(long)]
    down: bool,
    /// MTU in bytes
    #[arg(long)]
    mtu: Option<u32>,
    /// Ethernet address
    #[arg(long, value_parser = value::station)]
    mac: Option<MacAddr>,
    /// Another name
    #[arg(long = "name", value_name = "NEW")]
    new_name: Option<IfName>,
    /// Give it this address; may be repeated
    #[arg(long, value_parser = value::cidr, value_name = "CIDR")]
    ip: Vec<IpNet>,
    /// Take this address from it; may be repeated
    #[arg(long, value_parser = value::cidr, value_name = "CIDR")]
    del_ip: Vec<IpNet>,
    /// Put it into this bridge, bond or VRF
    #[arg(long, value_name = "DEV", conflicts_with = "no_master")]
    master: Option<IfName>,
    /// Take it out of its bridge, bond or VRF
    #[arg(long)]
    no_master: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
struct Target {
    /// Move it to this namespace
    #[arg(long, value_name = "NETNS", conflicts_with = "master")]
    netns: Option<NsName>,
    /// Move it to the namespace of this process
    #[arg(long, value_name = "PID", conflicts_with = "master")]
    netns_pid: Option<u32>,
}

/// The interface as it is now, and what it could not take along.
#[derive(Serialize)]
struct Outcome {
    link: Option<Row>,
    lost: Vec<String>,
}

/// Makes the changes.
pub(super) async fn set(args: &SetArgs) -> Result<Report> {
    let SetArgs { name, home, changes, target } = args;
    let home = namespace(home.as_ref())?;
    let (target, label) = match (&target.netns, target.netns_pid) {
        (Some(name), _) => (Netns::named(name)?, Some(name.clone())),
        (None, Some(pid)) => (Netns::of_pid(pid)?, None),
        (None, None) => (namespace(args.home.as_ref())?, args.home.clone()),
    };
    let host = Host::at(&home)?;
    let plan = plan(&host, changes).await?;
    if plan.is_empty()
        && home.is_same(&target)?
        && args.target.netns.is_none()
        && args.target.netns_pid.is_none()
    {
        bail!("there is nothing to change on `{name}`; `vswitch link set --help` shows what can be");
    }
    let moved = move_link(&home, name, &target, &plan).await?;
    for lost in &moved.lost {
        output::note(&format!("`{name}` could not take along {lost}"));
    }
    let link = rows(&mut Atlas::new()?, &Host::at(&target)?, label.as_ref(), &[moved.link]).await?.pop();
    Ok(Report::new("", &Outcome { link, lost: moved.lost })?)
}

/// The changes in the order in which they can be taken back: up and down last.
async fn plan(host: &Host, wanted: &Changes) -> Result<Vec<Change>> {
    let Changes { up, down, mtu, mac, new_name, ip, del_ip, master, no_master } = wanted;
    let mut plan = Vec::new();
    plan.extend(new_name.clone().map(Change::Name));
    plan.extend(mtu.map(Change::Mtu));
    plan.extend(mac.map(Change::Mac));
    if let Some(master) = master {
        plan.push(Change::Master(Some(host.link(master).await?.index)));
    }
    if *no_master {
        plan.push(Change::Master(None));
    }
    plan.extend(del_ip.iter().copied().map(Change::DelAddress));
    plan.extend(ip.iter().copied().map(Change::AddAddress));
    if *up || *down {
        plan.push(Change::Up(*up));
    }
    Ok(plan)
}

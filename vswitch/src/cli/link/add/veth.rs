//! `link add veth`.

use std::thread::available_parallelism;

use anyhow::{Context, Result, bail};
use clap::Args;
use ipnet::IpNet;
use vswitch_common::addr::MacAddr;

use super::{
    super::{
        super::value,
        namespace,
        row::{Far, Row},
    },
    discard,
};
use crate::{
    cli::output::Report,
    host::{Change, Host, HostError, Link, Netns, VethSpec},
    name::{IfName, NsName},
};

/// A pair.
#[derive(Debug, Args)]
pub struct VethArgs {
    /// Name of this end
    name: IfName,
    /// Name of the other end
    #[arg(long, value_name = "NAME")]
    peer: Option<IfName>,
    /// Make this end in this namespace; in ours if absent
    #[arg(long, value_name = "NETNS")]
    netns: Option<NsName>,
    /// Make the other end in this namespace; in ours if absent
    #[arg(long, value_name = "NETNS")]
    peer_netns: Option<NsName>,
    /// Ethernet address of this end
    #[arg(long, value_parser = value::station)]
    mac: Option<MacAddr>,
    /// Ethernet address of the other end
    #[arg(long, value_parser = value::station, value_name = "MAC")]
    peer_mac: Option<MacAddr>,
    /// MTU of both ends, in bytes
    #[arg(long)]
    mtu: Option<u32>,
    /// Give this end this address; may be repeated
    #[arg(long, value_parser = value::cidr, value_name = "CIDR")]
    ip: Vec<IpNet>,
    /// Give the other end this address; may be repeated
    #[arg(long, value_parser = value::cidr, value_name = "CIDR")]
    peer_ip: Vec<IpNet>,
    /// Queues of each end; as many as CPUs if absent
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=4096))]
    queues: Option<u32>,
    /// Bring both ends up
    #[arg(long)]
    up: bool,
    /// Let both ends carry aggregates of up to 192 KiB (BIG TCP) and receive them (GRO)
    #[arg(long)]
    tune: bool,
}

/// Makes a pair, both ends configured, or nothing.
pub(super) async fn add(args: &VethArgs) -> Result<Report> {
    let here_ns = namespace(args.netns.as_ref())?;
    // An end without a namespace of its own is in this one, even if the first is not.
    let there_ns = namespace(args.peer_netns.as_ref())?;
    let here = Host::at(&here_ns)?;
    let there = Host::at(&there_ns)?;
    let peer_name = if let Some(name) = &args.peer {
        name.clone()
    } else {
        let mut taken = there.links().await?;
        if here_ns.is_same(&there_ns)? {
            taken.extend(here.links().await?);
        }
        peer_name(&args.name, &taken)
            .with_context(|| format!("no name is free for the peer of `{}`", args.name))?
    };
    if peer_name == args.name && here_ns.is_same(&there_ns)? {
        bail!("both ends of the cable are called `{peer_name}`; give `--peer` another name or namespace");
    }
    here.add_veth(&spec(args, &peer_name, &there_ns)).await?;
    let link = here.link(&args.name).await?;
    if let Err(failure) = configure(args, &here, &link, &there, &peer_name).await {
        return Err(discard(&here, link.index, failure).await.into());
    }
    let link = here.link(&args.name).await?;
    let peer = there.link(&peer_name).await?;
    let (netns, peer_netns) = (args.netns.as_ref(), args.peer_netns.as_ref());
    let ends = [
        Row::new(&link, netns, None, Some(Far::end(&link, &peer, peer_netns))),
        Row::new(&peer, peer_netns, None, Some(Far::end(&peer, &link, netns))),
    ];
    let text = if args.peer.is_none() { peer_name.to_string() } else { String::new() };
    Ok(Report::new(text, &ends)?)
}

fn spec<'a>(args: &'a VethArgs, peer_name: &'a IfName, peer_netns: &'a Netns) -> VethSpec<'a> {
    let cpus = || available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(1));
    VethSpec {
        name: &args.name,
        peer_name,
        peer_netns: Some(peer_netns),
        mac: args.mac,
        peer_mac: args.peer_mac,
        mtu: args.mtu,
        queues: args.queues.unwrap_or_else(cpus),
    }
}

async fn configure(
    args: &VethArgs,
    here: &Host,
    link: &Link,
    there: &Host,
    peer_name: &IfName,
) -> Result<(), HostError> {
    let peer = there.link(peer_name).await?;
    for (host, end, addresses) in [(here, link, &args.ip), (there, &peer, &args.peer_ip)] {
        if args.tune {
            host.tune_veth(end.index).await?;
        }
        let mut changes: Vec<_> = addresses.iter().copied().map(Change::AddAddress).collect();
        changes.extend(args.up.then_some(Change::Up(true)));
        host.apply(end, &changes).await?;
    }
    Ok(())
}

/// A name for the other end: `NAME-p`, shortened if need be, else the first free `vethN`.
fn peer_name(name: &IfName, taken: &[Link]) -> Option<IfName> {
    let mut stem = name.as_str();
    while stem.len() > 13 {
        let mut letters = stem.chars();
        letters.next_back();
        stem = letters.as_str();
    }
    let free =
        |candidate: &IfName| candidate != name && taken.iter().all(|link| link.name != candidate.as_str());
    let candidates =
        std::iter::once(format!("{stem}-p")).chain((0..=taken.len() + 1).map(|n| format!("veth{n}")));
    candidates.filter_map(|candidate| candidate.parse().ok()).find(free)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_gets_a_free_name() {
        let name = |text: &str| text.parse::<IfName>().expect("a good name");
        assert_eq!(peer_name(&name("a"), &[]), Some(name("a-p")));
        assert_eq!(peer_name(&name("abcdefghijklmno"), &[]), Some(name("abcdefghijklm-p")));
        assert_eq!(peer_name(&name("äääääää"), &[]), Some(name("ääääää-p")));
        assert_eq!(peer_name(&name("abcdefghijklm-p"), &[]), Some(name("veth0")));
    }
}

//! `vswitch neigh`: list, add, replace, remove, flush.

use std::net::IpAddr;

use anyhow::Result;
use clap::{Args, Subcommand};
use vswitch_common::addr::MacAddr;

use super::{output::Report, value};
use crate::{
    control::neigh::{self, Neigh, NeighView},
    datapath::Store,
    host::Host,
    name::SwitchName,
};

/// What to do with known neighbours.
#[derive(Debug, Subcommand)]
pub enum NeighCommand {
    /// List the neighbours that a switch knows
    #[command(after_help = "Examples:\n  vswitch neigh list lab\n  vswitch --json neigh list lab\n\n\
        Those of kind `port` are the addresses that `vswitch port add --ip` gave; they go with the port.")]
    List(ListArgs),
    /// Tell a switch who has an address, so that it can answer for ports with `neigh-suppress` or `proxy-arp`
    #[command(after_help = "Examples:\n  vswitch neigh add lab 10.0.0.9 02:00:00:00:00:09\n  \
        vswitch neigh add lab 2001:db8::1 02:00:00:00:00:01 --router\n\n\
        A question is answered if the MAC address is in the FDB as well; see `vswitch port set --help`.")]
    Add(AddArgs),
    /// The same, whoever had the address before
    #[command(after_help = "Examples:\n  vswitch neigh replace lab 10.0.0.9 02:00:00:00:00:0a")]
    Replace(AddArgs),
    /// Forget a neighbour
    #[command(after_help = "Examples:\n  vswitch neigh del lab 10.0.0.9")]
    Del(DelArgs),
    /// Forget all neighbours that were added; those of ports stay
    #[command(after_help = "Examples:\n  vswitch neigh flush lab\n  vswitch neigh flush lab --vlan 10")]
    Flush(FlushArgs),
}

/// Which switch.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
}

/// What to add.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The IPv4 or IPv6 address
    ip: IpAddr,
    /// Who has it
    #[arg(value_parser = value::station)]
    mac: MacAddr,
    /// Only in this VLAN; 0 = in any in which the MAC address is known
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: u16,
    /// It is a router, which IPv6 stations must be told
    #[arg(long)]
    router: bool,
}

/// What to remove.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The IPv4 or IPv6 address
    ip: IpAddr,
    /// The VLAN with which it was added
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: u16,
}

/// What to forget.
#[derive(Debug, Args)]
pub struct FlushArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// Only those that were added with this VLAN
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
}

/// Does what the command says.
pub async fn run(command: NeighCommand) -> Result<Report> {
    let store = Store::open()?;
    match command {
        NeighCommand::List(ListArgs { switch }) => {
            return table(&neigh::list(&store, &Host::here()?, &switch).await?);
        }
        NeighCommand::Add(args) => add(&store, args, false)?,
        NeighCommand::Replace(args) => add(&store, args, true)?,
        NeighCommand::Del(DelArgs { switch, ip, vlan }) => neigh::del(&store, &switch, ip, vlan)?,
        NeighCommand::Flush(FlushArgs { switch, vlan }) => {
            let removed = neigh::flush(&store, &switch, vlan)?;
            let facts = serde_json::json!({ "removed": removed });
            return Ok(Report::new(format!("{removed} removed"), &facts)?);
        }
    }
    Ok(Report::silent())
}

fn add(store: &Store, args: AddArgs, replaces: bool) -> Result<()> {
    let AddArgs { switch, ip, mac, vlan, router } = args;
    Ok(neigh::add(store, &switch, &Neigh { ip, mac, vlan, is_router: router, replaces })?)
}

fn table(views: &[NeighView]) -> Result<Report> {
    Ok(Report::table(&["address", "mac", "vlan", "kind", "port", ""], views, |view| {
        vec![
            view.ip.clone(),
            view.mac.clone(),
            if view.vlan == 0 { "any".to_owned() } else { view.vlan.to_string() },
            view.kind.to_owned(),
            view.port.clone().unwrap_or_else(|| "-".to_owned()),
            if view.router { "router" } else { "" }.to_owned(),
        ]
    })?)
}

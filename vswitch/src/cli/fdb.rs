//! `vswitch fdb`: list, add, remove, flush.

use anyhow::Result;
use clap::{Args, Subcommand};
use vswitch_common::{addr::MacAddr, fdb::FdbKind};

use super::{output::Report, value};
use crate::{
    control::fdb::{self, FdbView, Selection},
    datapath::Store,
    host::Host,
    name::{IfName, SwitchName},
};

/// What to do with the forwarding database.
#[derive(Debug, Subcommand)]
pub enum FdbCommand {
    /// List the addresses of a switch; expired ones never show
    #[command(after_help = "Examples:\n  vswitch fdb list lab\n  vswitch --json fdb list lab")]
    List(ListArgs),
    /// Add an address behind a port: it neither moves nor ages
    #[command(after_help = "Examples:\n  vswitch fdb add lab 02:00:00:00:00:01 web\n  \
        vswitch fdb add lab 02:00:00:00:00:01 web --sticky")]
    Add(AddArgs),
    /// Remove an address
    #[command(after_help = "Examples:\n  vswitch fdb del lab 02:00:00:00:00:01")]
    Del(DelArgs),
    /// Forget the addresses that age, learned and sticky ones; static ones stay
    #[command(after_help = "Examples:\n  vswitch fdb flush lab\n  vswitch fdb flush lab --port web")]
    Flush(FlushArgs),
}

/// Which switch.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// Only addresses behind this port
    #[arg(long)]
    port: Option<IfName>,
    /// Only addresses of this VLAN
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
}

/// What to add.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The address
    #[arg(value_parser = value::station)]
    mac: MacAddr,
    /// The port behind which it is
    port: IfName,
    /// VLAN of the address
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: u16,
    /// It ages when its station is silent, but does not move
    #[arg(long)]
    sticky: bool,
}

/// What to remove.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The address
    #[arg(value_parser = value::station)]
    mac: MacAddr,
    /// The port behind which it must be
    port: Option<IfName>,
    /// VLAN of the address
    #[arg(long, default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: u16,
}

/// What to forget.
#[derive(Debug, Args)]
pub struct FlushArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// Only addresses behind this port
    #[arg(long)]
    port: Option<IfName>,
    /// Only addresses of this VLAN
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
}

/// Does what the command says.
pub async fn run(command: FdbCommand) -> Result<Report> {
    let store = Store::open()?;
    let host = Host::here()?;
    match command {
        FdbCommand::List(ListArgs { switch, port, vlan }) => {
            let mut views = fdb::list(&store, &host, &switch).await?;
            if let Some(port) = &port {
                fdb::check_port(&store, &host, &switch, port).await?;
                views.retain(|view| view.port == port.as_str());
            }
            views.retain(|view| vlan.is_none_or(|vlan| vlan == view.vlan));
            return table(&views);
        }
        FdbCommand::Add(AddArgs { switch, mac, port, vlan, sticky }) => {
            let kind = if sticky { FdbKind::Sticky } else { FdbKind::Static };
            fdb::add(&store, &host, &switch, mac, &port, vlan, kind).await?;
        }
        FdbCommand::Del(DelArgs { switch, mac, port, vlan }) => {
            fdb::del(&store, &host, &switch, mac, vlan, port.as_ref()).await?;
        }
        FdbCommand::Flush(FlushArgs { switch, port, vlan }) => {
            let removed = fdb::flush(&store, &host, &switch, &Selection { port, vlan }).await?;
            let facts = serde_json::json!({ "removed": removed });
            return Ok(Report::new(format!("{removed} removed"), &facts)?);
        }
    }
    Ok(Report::silent())
}

fn table(views: &[FdbView]) -> Result<Report> {
    Ok(Report::table(&["mac", "vlan", "port", "kind", "age"], views, |view| {
        let age = match view.kind {
            "dynamic" | "sticky" => format!("{}.{} s", view.age_ms / 1000, view.age_ms % 1000 / 100),
            _ => "-".to_owned(),
        };
        vec![view.mac.clone(), view.vlan.to_string(), view.port.clone(), view.kind.to_owned(), age]
    })?)
}

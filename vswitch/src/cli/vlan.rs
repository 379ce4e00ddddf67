//! `vswitch vlan`: list, add, remove.

use anyhow::Result;
use clap::{Args, Subcommand};

use super::output::Report;
use crate::{
    config::vlan::VidSet,
    control::vlan::{self, Entry, VlanView},
    datapath::Store,
    host::Host,
    name::{IfName, SwitchName},
};

/// What to do with VLANs.
#[derive(Debug, Subcommand)]
pub enum VlanCommand {
    /// List the VLANs of a switch's ports
    #[command(after_help = "Examples:\n  vswitch vlan list lab\n  vswitch --json vlan list lab --port web")]
    List(ListArgs),
    /// Enter a port in VLANs; effective for the very next frame
    #[command(after_help = "Examples:\n  vswitch vlan add lab up0 10-20\n  \
        vswitch vlan add lab web 10 --pvid --untagged\n\n\
        The whole of a port's VLANs is set by `vswitch port set lab web access=10` or `trunk=10-20 native=1`.")]
    Add(AddArgs),
    /// Take a port out of VLANs
    #[command(after_help = "Examples:\n  vswitch vlan del lab up0 10-20")]
    Del(DelArgs),
}

/// Which ports.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// Only those of this port
    #[arg(long)]
    port: Option<IfName>,
}

/// Which port and which VLANs.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The port
    port: IfName,
    /// VLANs such as `10` or `1,10-20`
    vids: VidSet,
    /// Untagged frames that come by the port are of this VLAN
    #[arg(long)]
    pvid: bool,
    /// Frames of the VLAN leave by the port without a tag
    #[arg(long)]
    untagged: bool,
}

/// Which port and which VLANs.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The port
    port: IfName,
    /// VLANs such as `10` or `1,10-20`
    vids: VidSet,
}

/// Does what the command says.
pub async fn run(command: VlanCommand) -> Result<Report> {
    let store = Store::open()?;
    let host = Host::here()?;
    match command {
        VlanCommand::List(ListArgs { switch, port }) => {
            return table(&vlan::list(&store, &host, &switch, port.as_ref()).await?);
        }
        VlanCommand::Add(AddArgs { switch, port, vids, pvid, untagged }) => {
            vlan::add(&store, &host, &switch, &port, &vids, Entry { pvid, untagged }).await?;
        }
        VlanCommand::Del(DelArgs { switch, port, vids }) => {
            vlan::del(&store, &host, &switch, &port, &vids).await?;
        }
    }
    Ok(Report::silent())
}

fn table(views: &[VlanView]) -> Result<Report> {
    let has_counters = views.iter().any(|view| view.counters.is_some());
    let header: &[&str] = if has_counters {
        &["port", "vlan", "pvid", "leaves", "rx", "tx"]
    } else {
        &["port", "vlan", "pvid", "leaves"]
    };
    Ok(Report::table(header, views, |view| {
        let counters = view.counters.map(|counters| [counters.rx_frames, counters.tx_frames]);
        let mut cells = vec![
            view.port.clone(),
            view.vlan.to_string(),
            if view.pvid { "pvid" } else { "" }.to_owned(),
            if view.untagged { "untagged" } else { "tagged" }.to_owned(),
        ];
        cells.extend(counters.iter().flatten().map(u64::to_string));
        cells
    })?)
}

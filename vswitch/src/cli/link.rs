//! `vswitch link`: network interfaces of every kind, and where the other end of a cable is.

mod add;
mod del;
mod row;
mod set;
mod show;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::output::Report;
use crate::{
    host::{HostError, Netns},
    name::{IfName, NsName},
};

/// What to do with network interfaces.
#[derive(Debug, Subcommand)]
pub enum LinkCommand {
    /// List interfaces: kind, state, addresses, and the other end even in another namespace
    #[command(
        after_help = "Examples:\n  vswitch link list\n  vswitch link list --netns web\n  vswitch --json link list --all-netns"
    )]
    List(ListArgs),
    /// Show everything about an interface
    #[command(
        after_help = "Examples:\n  vswitch link show eth0\n  vswitch --json link show eth0 --netns web"
    )]
    Show(ShowArgs),
    /// Make an interface
    #[command(
        subcommand,
        after_help = "Examples:\n  vswitch link add veth left --peer right --peer-netns web\n  \
                      vswitch link add tap vm0 --user qemu\n  vswitch link add KIND --help"
    )]
    Add(add::AddCommand),
    /// Delete interfaces; the other end of a cable goes with it
    #[command(after_help = "Examples:\n  vswitch link del a tap0\n  vswitch link del eth0 --netns web")]
    Del(DelArgs),
    /// Change an interface: all that is asked for, or nothing
    #[command(
        after_help = "Examples:\n  vswitch link set a --up --ip 10.0.0.1/24\n  vswitch link set a --mtu 9000 --mac 02:00:00:00:00:0a\n  \
                            vswitch link set a --netns web --name eth0\n  vswitch link set tap0 --master br0\n  \
                            vswitch link set eth0 --in web --down\n\n\
                            An interface that moves to another namespace keeps its addresses, MTU, state and routes. What it\n\
                            cannot take along is told. If a step fails, the interface is back where and as it was."
    )]
    Set(set::SetArgs),
}

/// Which interfaces to list.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// Those of this namespace
    #[arg(long, value_name = "NAME")]
    netns: Option<NsName>,
    /// Those of this namespace and of all that have a name
    #[arg(long, conflicts_with = "netns")]
    all_netns: bool,
}

/// Which interface to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its name
    name: IfName,
    /// The namespace that it is in
    #[arg(long, value_name = "NAME")]
    netns: Option<NsName>,
}

/// Which interfaces to delete.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// Their names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<IfName>,
    /// The namespace that they are in
    #[arg(long, value_name = "NAME")]
    netns: Option<NsName>,
}

/// Does what the command says.
pub async fn run(command: LinkCommand) -> Result<Report> {
    match command {
        LinkCommand::List(ListArgs { all_netns: true, .. }) => show::list_all().await,
        LinkCommand::List(ListArgs { netns, .. }) => show::list(netns.as_ref()).await,
        LinkCommand::Show(ShowArgs { name, netns }) => show::show(&name, netns.as_ref()).await,
        LinkCommand::Add(command) => add::run(command).await,
        LinkCommand::Del(DelArgs { names, netns }) => del::del(&names, netns.as_ref()).await,
        LinkCommand::Set(args) => set::set(&args).await,
    }
}

/// The namespace of this name, or the one that we are in.
fn namespace(name: Option<&NsName>) -> Result<Netns, HostError> {
    name.map_or_else(Netns::current, Netns::named)
}

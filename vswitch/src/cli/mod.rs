//! The command line: description only. What a verb does is in the file of its noun.

pub mod acl;
pub mod fdb;
pub mod link;
pub mod mirror;
pub mod monitor;
pub mod neigh;
pub mod ns;
pub mod output;
pub mod port;
mod several;
pub mod switch;
pub mod usage;
pub mod value;
pub mod vlan;

use clap::{Parser, Subcommand};

use self::output::Report;

/// A Linux virtual switch whose data plane is eBPF.
///
/// It forwards, learns and ages in the kernel: no process of vswitch need run.
#[derive(Debug, Parser)]
#[command(
    name = "vswitch",
    version,
    after_help = "Examples:\n  \
        vswitch switch add lab\n  \
        vswitch port add lab web --netns web --ip 10.0.0.2/24\n  \
        vswitch port add lab db --netns db --ip 10.0.0.3/24\n  \
        vswitch ns exec web -- ping -c 1 10.0.0.3\n  \
        vswitch fdb list lab\n  \
        vswitch switch del lab\n\n\
        Exit status: 0 done, 1 failed (nothing was changed), 2 wrong usage.\n\
        State is kept in bpffs at /sys/fs/bpf; VSWITCH_BPFFS names another mount."
)]
pub struct Cli {
    /// Print JSON on standard output
    #[arg(long, global = true)]
    pub json: bool,
    /// Tell what is done on standard error; twice for more
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What the command is about.
    #[command(subcommand)]
    pub noun: Noun,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
pub enum Noun {
    /// Switches
    #[command(subcommand)]
    Switch(switch::SwitchCommand),
    /// Ports of a switch
    #[command(subcommand)]
    Port(port::PortCommand),
    /// The forwarding database: which address is behind which port
    #[command(subcommand)]
    Fdb(fdb::FdbCommand),
    /// VLANs: which ports are in them
    #[command(subcommand)]
    Vlan(vlan::VlanCommand),
    /// Known neighbours: questions that the switch can answer (ARP, IPv6 neighbour discovery)
    #[command(subcommand)]
    Neigh(neigh::NeighCommand),
    /// Mirror sessions: copies of what ports or VLANs carry, for a port
    #[command(subcommand)]
    Mirror(mirror::MirrorCommand),
    /// Rules: which frames may pass
    #[command(subcommand)]
    Acl(acl::AclCommand),
    /// Network namespaces, the same as those of `ip netns`
    #[command(subcommand)]
    Ns(ns::NsCommand),
    /// Network interfaces: what they are, and where their other end is
    #[command(subcommand)]
    Link(link::LinkCommand),
    /// Follow a switch: addresses learned and moved, frames dropped
    Monitor(monitor::MonitorArgs),
}

impl Noun {
    /// Does what the words say. `json` matters only to verbs that print as they go.
    pub async fn run(self, json: bool) -> anyhow::Result<Report> {
        match self {
            Self::Switch(command) => switch::run(command).await,
            Self::Port(command) => port::run(command).await,
            Self::Fdb(command) => fdb::run(command).await,
            Self::Vlan(command) => vlan::run(command).await,
            Self::Neigh(command) => neigh::run(command).await,
            Self::Mirror(command) => mirror::run(command).await,
            Self::Acl(command) => acl::run(command).await,
            Self::Ns(command) => ns::run(command).await,
            Self::Link(command) => link::run(command).await,
            Self::Monitor(args) => monitor::run(args, json).await,
        }
    }
}

//! `vswitch fdb`: list, add, remove, flush.

use anyhow::Result;
use clap::{Args, Subcommand, ValueEnum};
use vswitch_common::{addr::MacAddr, fdb::FdbKind};

use super::{output::Report, value};
use crate::{
    control::fdb::{self, Addition, FdbView, Selection},
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
    /// Show what is known about one address
    #[command(after_help = "Examples:\n  vswitch fdb show lab 02:00:00:00:00:01")]
    Show(ShowArgs),
    /// Add an address behind a port: it neither moves nor ages; what was added before stays
    #[command(after_help = "Examples:\n  vswitch fdb add lab 02:00:00:00:00:01 web\n  \
        vswitch fdb add lab 02:00:00:00:00:01 web --sticky\n\n\
        A learned entry makes way; to change one that was added use `replace`.")]
    Add(AddArgs),
    /// Add an address behind a port, or change what is known about it
    #[command(after_help = "Examples:\n  vswitch fdb replace lab 02:00:00:00:00:01 web\n\n\
        This also admits a station that a locked port with `mab` has noted.")]
    Replace(AddArgs),
    /// Remove an address
    #[command(after_help = "Examples:\n  vswitch fdb del lab 02:00:00:00:00:01")]
    Del(DelArgs),
    /// Forget the addresses that age, learned and sticky ones; others stay, unless their kind is named
    #[command(after_help = "Examples:\n  vswitch fdb flush lab\n  vswitch fdb flush lab --port web\n  \
        vswitch fdb flush lab --kind static --kind sticky")]
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
    /// VLAN of the address; all of the port's if absent
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
    #[command(flatten)]
    kind: KindArgs,
}

/// Of what kind it is.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[group(multiple = false)]
pub struct KindArgs {
    /// It neither moves nor ages; the default
    #[arg(long = "static")]
    fixed: bool,
    /// It ages when its station is silent, but does not move
    #[arg(long)]
    sticky: bool,
    /// As if learned: it moves and ages
    #[arg(long)]
    dynamic: bool,
    /// Added by a control plane: it moves when its station speaks elsewhere, and does not age
    #[arg(long)]
    extern_learn: bool,
    /// Frames to it are the host's, on the device by which they came
    #[arg(long)]
    local: bool,
}

impl KindArgs {
    fn kind(&self) -> FdbKind {
        match self {
            Self { sticky: true, .. } => FdbKind::Sticky,
            Self { dynamic: true, .. } => FdbKind::Dynamic,
            Self { extern_learn: true, .. } => FdbKind::External,
            Self { local: true, .. } => FdbKind::Local,
            _ => FdbKind::Static,
        }
    }
}

/// A kind of entry.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Kind {
    /// Learned
    Dynamic,
    /// Neither moves nor ages
    Static,
    /// Ages, but does not move
    Sticky,
    /// Added by a control plane
    ExternLearn,
    /// The host's
    Local,
}

impl Kind {
    const fn kind(self) -> FdbKind {
        match self {
            Self::Dynamic => FdbKind::Dynamic,
            Self::Static => FdbKind::Static,
            Self::Sticky => FdbKind::Sticky,
            Self::ExternLearn => FdbKind::External,
            Self::Local => FdbKind::Local,
        }
    }
}

/// Which address.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The address
    #[arg(value_parser = value::station)]
    mac: MacAddr,
    /// VLAN of the address; any if absent
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
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
    /// VLAN of the address; any if absent
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=4094))]
    vlan: Option<u16>,
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
    /// Only addresses of this kind; may be given several times; all that age if absent
    #[arg(long = "kind", value_name = "KIND", value_enum)]
    kinds: Vec<Kind>,
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
        FdbCommand::Show(ShowArgs { switch, mac, vlan }) => {
            return table(&fdb::show(&store, &host, &switch, mac, vlan).await?);
        }
        FdbCommand::Add(args) => {
            let (switch, addition) = addition(args, false);
            fdb::add(&store, &host, &switch, &addition).await?;
        }
        FdbCommand::Replace(args) => {
            let (switch, addition) = addition(args, true);
            fdb::add(&store, &host, &switch, &addition).await?;
        }
        FdbCommand::Del(DelArgs { switch, mac, port, vlan }) => {
            fdb::del(&store, &host, &switch, mac, vlan, port.as_ref()).await?;
        }
        FdbCommand::Flush(FlushArgs { switch, port, vlan, kinds }) => {
            let kinds = kinds.into_iter().map(Kind::kind).collect();
            let removed = fdb::flush(&store, &host, &switch, &Selection { port, vlan, kinds }).await?;
            let facts = serde_json::json!({ "removed": removed });
            return Ok(Report::new(format!("{removed} removed"), &facts)?);
        }
    }
    Ok(Report::silent())
}

fn addition(args: AddArgs, replaces: bool) -> (SwitchName, Addition) {
    let AddArgs { switch, mac, port, vlan, kind } = args;
    (switch, Addition { mac, port, vlan, kind: kind.kind(), replaces })
}

fn table(views: &[FdbView]) -> Result<Report> {
    Ok(Report::table(&["mac", "vlan", "port", "kind", "age", ""], views, |view| {
        let age = match view.kind {
            "dynamic" | "sticky" => format!("{}.{} s", view.age_ms / 1000, view.age_ms % 1000 / 100),
            _ => "-".to_owned(),
        };
        let locked = if view.locked { "locked".to_owned() } else { String::new() };
        vec![view.mac.clone(), view.vlan.to_string(), view.port.clone(), view.kind.to_owned(), age, locked]
    })?)
}

//! `vswitch switch`: make, remove, list, change.

mod summary;

use anyhow::Result;
use clap::{Args, Subcommand};

use super::output::Report;
use crate::{
    config::keys::KeyValue,
    control::{
        self,
        switch::{self, SwitchView},
    },
    datapath::Store,
    host::Host,
    name::SwitchName,
};

const KEYS: &str = "Keys:\n  \
    ageing=SECONDS        lifetime of a learned address after its last frame; 0 = for ever (300)\n  \
    group-fwd-mask=MASK   bit X: forward 01:80:c2:00:00:0X rather than hand it to the host (0)\n  \
    vlan-filtering=on|off frames stay within their VLAN (off: tags pass untouched)\n  \
    vlan-protocol=P       802.1q, or 802.1ad: which tags count; others are payload (802.1q)\n  \
    default-pvid=VID      VLAN of untagged frames at a new port; none = a new port is in no VLAN (1)\n  \
    vlan-stats=on|off     count frames for each port and VLAN; `vlan list` shows them (off)\n  \
    linklocal-learn=on|off  learn sources of link-local frames for the host (on)\n  \
    description=TEXT      what the switch is for\n  \
    move-limit=N          moves of an address in a second beyond which `move-guard` acts (5)\n  \
    hold=SECONDS          how long a guard keeps a port shut; 0 = until state=forwarding (60)\n  \
    fdb-size=N            room for addresses, only with `add` (32768)\n  \
    port-slots=N          room for ports plus one, only with `add` (2048)";

/// What to do with switches.
#[derive(Debug, Subcommand)]
pub enum SwitchCommand {
    /// Make a switch without ports
    #[command(after_help = format!("{KEYS}\n\nExamples:\n  vswitch switch add lab\n  vswitch switch add lab ageing=60 fdb-size=100000"))]
    Add(WordsArgs),
    /// Remove a switch, its ports, and the devices and namespaces that were made for them
    #[command(
        after_help = "Examples:\n  vswitch switch del lab\n  vswitch switch del lab --force\n\nAdopted devices are returned as they were found."
    )]
    Del(DelArgs),
    /// List all switches
    #[command(after_help = "Examples:\n  vswitch switch list\n  vswitch --json switch list")]
    List,
    /// Show one switch, its counters and ports, on one screen
    #[command(after_help = "Examples:\n  vswitch switch show lab")]
    Show(NameArgs),
    /// Change a switch; effective for the very next frame
    #[command(after_help = format!("{KEYS}\n\nExamples:\n  vswitch switch set lab ageing=0"))]
    Set(SetArgs),
}

/// Which switch.
#[derive(Debug, Args)]
pub struct NameArgs {
    /// The switch
    #[arg(value_name = "SW")]
    name: SwitchName,
}

/// Which switch, and how.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// The switch
    #[arg(value_name = "SW")]
    name: SwitchName,
    /// Only forget it, with its programs and tables: for one whose namespace has ended
    #[arg(long)]
    force: bool,
}

/// Which switch, and what it is to be like.
#[derive(Debug, Args)]
pub struct WordsArgs {
    /// The switch
    #[arg(value_name = "SW")]
    name: SwitchName,
    /// What it is to be like
    #[arg(value_name = "KEY=VALUE")]
    words: Vec<KeyValue>,
}

/// Which switch, and what is to change.
#[derive(Debug, Args)]
pub struct SetArgs {
    /// The switch
    #[arg(value_name = "SW")]
    name: SwitchName,
    /// What is to change
    #[arg(value_name = "KEY=VALUE", required = true)]
    words: Vec<KeyValue>,
}

/// Does what the command says.
pub async fn run(command: SwitchCommand) -> Result<Report> {
    let store = Store::open()?;
    match command {
        SwitchCommand::Add(WordsArgs { name, words }) => switch::add(&store, &name, &words)?,
        SwitchCommand::Del(DelArgs { name, force: false }) => {
            switch::del(&store, &Host::here()?, &name).await?;
        }
        SwitchCommand::Del(DelArgs { name, force: true }) => switch::forget(&store, &name)?,
        SwitchCommand::Set(SetArgs { name, words }) => switch::set(&store, &name, &words)?,
        SwitchCommand::List => return table(&switch::list(&store)?),
        SwitchCommand::Show(NameArgs { name }) => {
            return summary::report(&control::summary::summary(&store, &Host::here()?, &name).await?);
        }
    }
    Ok(Report::silent())
}

fn table(views: &[SwitchView]) -> Result<Report> {
    let header = ["switch", "ports", "addresses", "ageing", ""];
    Ok(Report::table(&header, views, |view| {
        vec![
            view.name.clone(),
            view.ports.to_string(),
            format!("{}/{}", view.fdb_entries, view.fdb_size),
            ageing(view),
            if view.here { String::new() } else { "in another namespace".to_owned() },
        ]
    })?)
}

fn ageing(view: &SwitchView) -> String {
    if view.ageing == 0 { "never".to_owned() } else { format!("{} s", view.ageing) }
}

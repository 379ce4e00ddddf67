//! `vswitch mirror`: add, remove, list.

use anyhow::Result;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use vswitch_common::mirror::direction;

use super::output::Report;
use crate::{
    control::mirror::{self, MirrorRequest, MirrorView},
    datapath::Store,
    host::Host,
    name::{IfName, MirrorName, SwitchName},
};

/// What to do with mirror sessions.
#[derive(Debug, Subcommand)]
pub enum MirrorCommand {
    /// Copy what ports or a VLAN carry to a port; effective for the very next frame
    #[command(
        after_help = "Examples:\n  vswitch mirror add lab web-in --to probe --port web --direction in\n  \
        vswitch mirror add lab all10 --to probe --vlan 10 --snap 128 --sample 100\n\n\
        `in`: what a port receives, with its tag as it came, dropped frames included. `out`: what leaves by it, with the tag\n\
        that it leaves with. Without --port a VLAN's frames are copied once, as they come in, unless --direction says more.\n\
        PROBE stays a port like any other; with `vswitch port set lab probe state=blocking` it gets copies only.\n\
        What is sent to PROBE anyway is not copied to it."
    )]
    Add(AddArgs),
    /// End a session
    #[command(after_help = "Examples:\n  vswitch mirror del lab web-in")]
    Del(DelArgs),
    /// List the sessions of a switch
    #[command(after_help = "Examples:\n  vswitch mirror list lab\n  vswitch --json mirror list lab")]
    List(ListArgs),
}

/// Which frames are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// What the ports receive
    In,
    /// What the ports send
    Out,
    /// Both
    Both,
}

/// A session to be made.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("source").required(true).multiple(true).args(["ports", "vlan"])))]
pub struct AddArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The session: letters, digits, `-` and `_`, 15 at most
    name: MirrorName,
    /// The port that gets the copies
    #[arg(long, value_name = "PROBE")]
    to: IfName,
    /// The ports whose frames are copied
    #[arg(long = "port", value_name = "PORT", value_delimiter = ',')]
    ports: Vec<IfName>,
    /// Only frames of this VLAN
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=4094))]
    vlan: Option<u16>,
    /// Which frames [both; with --vlan alone: in]
    #[arg(long, value_enum)]
    direction: Option<Direction>,
    /// Copy so many bytes of each frame only, 64 to 65535; of a frame whose checksum is yet to be computed 160 at least
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u32).range(64..=65_535))]
    snap: Option<u32>,
    /// Copy one of N frames, at random
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    sample: u32,
}

/// Which session.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The session
    name: MirrorName,
}

/// Which switch.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
}

/// Does what the command says.
pub async fn run(command: MirrorCommand) -> Result<Report> {
    let store = Store::open()?;
    match command {
        MirrorCommand::Add(AddArgs { switch, name, to, ports, vlan, direction, snap, sample }) => {
            let default = if ports.is_empty() { Direction::In } else { Direction::Both };
            let directions = match direction.unwrap_or(default) {
                Direction::In => direction::IN,
                Direction::Out => direction::OUT,
                Direction::Both => direction::IN | direction::OUT,
            };
            let request = MirrorRequest { name, to, ports, vlan, directions, snap, sample };
            mirror::add(&store, &Host::here()?, &switch, &request).await?;
        }
        MirrorCommand::Del(DelArgs { switch, name }) => mirror::del(&store, &switch, &name)?,
        MirrorCommand::List(ListArgs { switch }) => {
            return table(&mirror::list(&store, &Host::here()?, &switch).await?);
        }
    }
    Ok(Report::silent())
}

fn table(views: &[MirrorView]) -> Result<Report> {
    let header = ["name", "to", "ports", "vlan", "direction", "snap", "sample"];
    let or_all = |value: Option<String>| value.unwrap_or_else(|| "all".to_owned());
    Ok(Report::table(&header, views, |view| {
        let none = if view.vlan.is_some() { "all" } else { "-" };
        vec![
            view.name.clone(),
            view.to.clone(),
            if view.ports.is_empty() { none.to_owned() } else { view.ports.join(",") },
            or_all(view.vlan.map(|vlan| vlan.to_string())),
            view.direction.to_owned(),
            or_all(view.snap.map(|length| length.to_string())),
            format!("1/{}", view.sample),
        ]
    })?)
}

//! `vswitch monitor`: the slow path of a switch, as it happens.

use anyhow::Result;
use clap::Args;

use super::output::{self, Report};
use crate::{
    control::{
        monitor::{self, Event},
        ruled,
    },
    datapath::Store,
    host::Host,
    name::SwitchName,
};

/// What to follow.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  vswitch monitor lab\n  vswitch monitor lab --drops\n\n\
    Tells which addresses are learned, move, or move too often, and which ports a guard shuts.\n\
    Ends with Ctrl-C. Only such events cost anything; nothing is told per forwarded frame.")]
pub struct MonitorArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// Tell every dropped frame as well
    #[arg(long)]
    drops: bool,
}

/// Does what the command says.
pub async fn run(args: MonitorArgs, json: bool) -> Result<Report> {
    let MonitorArgs { switch, drops } = args;
    let tell = |event: &Event| {
        let facts = serde_json::to_value(event).unwrap_or_default();
        output::line(&text(event), &facts, json).is_ok()
    };
    monitor::follow(&Store::open()?, &Host::here()?, &switch, drops, tell).await?;
    Ok(Report::told())
}

fn text(event: &Event) -> String {
    match event {
        Event::Learned { mac, port } => format!("learned  {mac} behind {port}"),
        Event::Moved { mac, from, to } => format!("moved    {mac} from {from} to {to}"),
        Event::Flapping { mac, from, to } => format!("flapping {mac} from {from} to {to}"),
        Event::Shut { port, reason, seconds: 0 } => format!("shut     {port}: {reason}, until it is opened"),
        Event::Shut { port, reason, seconds } => format!("shut     {port}: {reason}, for {seconds} s"),
        Event::Ruled(event) => ruled::text(event),
        Event::Dropped { port, reason } => format!("dropped  a frame from {port}: {reason}"),
    }
}

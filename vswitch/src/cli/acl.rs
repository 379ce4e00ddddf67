//! `vswitch acl`: rules for what may pass.

use std::{fs, io::Read as _, path::PathBuf};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand, ValueEnum};
use vswitch_common::acl::Direction;

use super::output::Report;
use crate::{
    config::acl::{Rule, parse_list},
    control::acl::{self, RuleView},
    datapath::Store,
    host::Host,
    name::{IfName, SwitchName},
};

const GRAMMAR: &str = "A rule: [port P] [in|out] ACTION MATCH... [log]\n\n\
    Actions:\n  \
    allow | deny        decide; the first of them that matches wins, in the order of their numbers\n  \
    count               count, and go on with the next rule\n\
    Matches (all must hold):\n  \
    any                 every frame\n  \
    src-mac, dst-mac    MAC, or MAC/MASK\n  \
    vlan                0 to 4094; 0 = none\n  \
    ethertype           arp, ipv4, ipv6, or a number such as 0x88cc\n  \
    src, dst            address or prefix; with `ethertype arp` those of sender and target\n  \
    proto               tcp, udp, icmp, icmpv6, sctp, or a number\n  \
    sport, dport        N or N-M\n  \
    flags               set/of, such as syn/syn,ack\n  \
    frag                first, later, any, no\n\
    What no rule decides about passes; end with `deny any` to turn that round. A rule without `port` is for all ports,\n\
    `in` (what ports receive) is meant unless `out` (what they send) is said. `log` shows in `vswitch monitor`, once\n\
    for each flow and cache period.";

/// What to do with rules.
#[derive(Debug, Subcommand)]
pub enum AclCommand {
    /// Add a rule; effective for the very next frame
    #[command(after_help = format!("{GRAMMAR}\n\nExamples:\n  \
        vswitch acl add lab deny proto tcp dst 10.0.0.0/8 dport 22-23 flags syn/syn,ack\n  \
        vswitch acl add lab --port web --at 1 allow src 10.0.0.2\n  \
        vswitch acl add lab --port web --direction out deny ethertype ipv6 log"))]
    Add(AddArgs),
    /// Remove a rule by its number; later ones move up
    #[command(after_help = "Examples:\n  vswitch acl del lab 2")]
    Del(DelArgs),
    /// List the rules with their counters
    #[command(after_help = "Examples:\n  vswitch acl list lab\n  vswitch --json acl list lab")]
    List(ListArgs),
    /// Replace all rules by those of a file, at once: one rule a line, `#` begins a comment
    #[command(after_help = format!("{GRAMMAR}\n\nExamples:\n  vswitch acl load lab -f rules.txt\n  \
        printf 'allow ethertype arp\\ndeny any\\n' | vswitch acl load lab -f -"))]
    Load(LoadArgs),
    /// Remove all rules
    #[command(after_help = "Examples:\n  vswitch acl flush lab")]
    Flush(ListArgs),
}

/// Which way frames go.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Way {
    /// Received by a port
    In,
    /// Sent by a port
    Out,
}

/// What to add.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// Only for this port
    #[arg(long, value_name = "P")]
    port: Option<IfName>,
    /// For what ports receive (in), or send (out)
    #[arg(long, value_enum)]
    direction: Option<Way>,
    /// Before the rule with this number; at the end if absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    at: Option<u16>,
    /// The rule
    #[arg(value_name = "RULE", required = true)]
    words: Vec<String>,
}

/// What to remove.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The number of the rule, as `acl list` shows it
    #[arg(value_name = "N")]
    number: usize,
}

/// Which switch.
#[derive(Debug, Args)]
pub struct ListArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
}

/// What to load.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// The switch
    #[arg(value_name = "SW")]
    switch: SwitchName,
    /// The file; `-` is standard input
    #[arg(short, long, value_name = "FILE")]
    file: PathBuf,
}

/// Does what the command says.
pub async fn run(command: AclCommand) -> Result<Report> {
    let store = Store::open()?;
    let host = Host::here()?;
    match command {
        AclCommand::Add(AddArgs { switch, port, direction, at, words }) => {
            let mut rule =
                Rule::parse(&words.iter().flat_map(|word| word.split_whitespace()).collect::<Vec<_>>())?;
            rule.port = port.or(rule.port);
            if let Some(way) = direction {
                rule.spec.direction = match way {
                    Way::In => Direction::In,
                    Way::Out => Direction::Out,
                } as u8;
            }
            acl::add(&store, &host, &switch, &rule, at.map(usize::from)).await?;
        }
        AclCommand::Del(DelArgs { switch, number }) => acl::del(&store, &switch, number)?,
        AclCommand::List(ListArgs { switch }) => return table(&acl::list(&store, &host, &switch).await?),
        AclCommand::Load(LoadArgs { switch, file }) => {
            let text = read(&file)?;
            acl::load(&store, &host, &switch, &parse_list(&text)?).await?;
        }
        AclCommand::Flush(ListArgs { switch }) => {
            let removed = acl::flush(&store, &switch)?;
            let facts = serde_json::json!({ "removed": removed });
            return Ok(Report::new(format!("{removed} removed"), &facts)?);
        }
    }
    Ok(Report::silent())
}

fn read(file: &PathBuf) -> Result<String> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin()
            .read_to_string(&mut text)
            .context("cannot read standard input; give rules as text")?;
        return Ok(text);
    }
    fs::read_to_string(file)
        .with_context(|| format!("cannot read `{}`; name a file with rules", file.display()))
}

fn table(views: &[RuleView]) -> Result<Report> {
    Ok(Report::table(&["number", "frames", "bytes", "rule"], views, |view| {
        vec![view.number.to_string(), view.frames.to_string(), view.bytes.to_string(), view.rule.clone()]
    })?)
}

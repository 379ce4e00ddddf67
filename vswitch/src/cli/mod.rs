//! The command line: description only. What a verb does is in the file of its noun.

pub mod link;
pub mod ns;
pub mod output;
mod several;

use clap::{Parser, Subcommand};

/// A Linux virtual switch whose data plane is eBPF.
#[derive(Debug, Parser)]
#[command(name = "vswitch", version)]
pub struct Cli {
    /// Print JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub noun: Noun,
}

/// What a command is about.
#[derive(Debug, Subcommand)]
pub enum Noun {
    /// Network namespaces.
    #[command(subcommand)]
    Ns(ns::NsCommand),
    /// Network interfaces.
    #[command(subcommand)]
    Link(link::LinkCommand),
}

//! `vswitch ns`: network namespaces, the same objects as those of `ip netns`.

mod exec;
mod ids;
mod list;
mod names;
mod processes;

use std::{ffi::OsString, path::PathBuf};

use anyhow::Result;
use clap::{Args, Subcommand};

use super::output::Report;
use crate::{host::Netns, name::NsName};

/// What to do with network namespaces.
#[derive(Debug, Subcommand)]
pub enum NsCommand {
    /// Make namespaces
    #[command(after_help = "Examples:\n  vswitch ns add web\n  vswitch ns add web db --lo")]
    Add(AddArgs),
    /// Delete namespaces; interfaces in them that are not physical go with them
    #[command(after_help = "Examples:\n  vswitch ns del web db\n  vswitch ns del --all")]
    Del(DelArgs),
    /// List the namespaces that have a name
    #[command(after_help = "Examples:\n  vswitch ns list\n  vswitch --json ns list")]
    List,
    /// Run a command inside a namespace
    #[command(
        after_help = "Examples:\n  vswitch ns exec web -- ping -c 1 10.0.0.1\n  vswitch ns exec --pid 4711 -- ip addr\n  \
                            vswitch ns exec --all -- ip -br link\n\n\
                            The command sees a /sys of its own, and the files of /etc/netns/NAME in place of those in /etc.\n\
                            Its exit status is passed on; with --all, the status is 1 if any of them failed."
    )]
    Exec(ExecArgs),
    /// List the processes in a namespace
    #[command(after_help = "Examples:\n  vswitch ns pids web\n  kill $(vswitch ns pids web)")]
    Pids(PidsArgs),
    /// Tell the name of the namespace that a process is in
    #[command(after_help = "Examples:\n  vswitch ns identify\n  vswitch ns identify 4711\n\n\
                            Prints nothing if the namespace has no name.")]
    Identify(IdentifyArgs),
    /// Give the namespace of a process, such as a container's, a name
    #[command(
        after_help = "Examples:\n  vswitch ns attach box $(docker inspect -f '{{.State.Pid}}' box)\n  \
                            vswitch ns attach box 4711\n\nTake the name away with `vswitch ns del box`; the container keeps running."
    )]
    Attach(AttachArgs),
    /// Give a namespace the number by which this one refers to it
    #[command(after_help = "Examples:\n  vswitch ns set-id web 5\n  vswitch ns set-id web auto")]
    SetId(SetIdArgs),
    /// List the numbers by which this namespace refers to others
    #[command(after_help = "Examples:\n  vswitch ns list-id\n  vswitch --json ns list-id")]
    ListId,
}

/// Names of new namespaces.
#[derive(Debug, Args)]
pub struct AddArgs {
    /// Names
    #[arg(required = true, value_name = "NAME")]
    names: Vec<NsName>,
    /// Bring `lo` up in them
    #[arg(long)]
    lo: bool,
}

/// Names of namespaces to delete.
#[derive(Debug, Args)]
pub struct DelArgs {
    /// Names
    #[arg(required_unless_present = "all", conflicts_with = "all", value_name = "NAME")]
    names: Vec<NsName>,
    /// All that have a name
    #[arg(long)]
    all: bool,
}

/// Where to run what.
#[derive(Debug, Args)]
pub struct ExecArgs {
    #[command(flatten)]
    target: ExecTarget,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    command: Vec<OsString>,
}

/// Where to run it.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
struct ExecTarget {
    /// In this namespace
    #[arg(value_name = "NAME")]
    name: Option<NsName>,
    /// In each namespace that has a name, one after the other
    #[arg(long)]
    all: bool,
    /// In the namespace of this process
    #[arg(long)]
    pid: Option<u32>,
    /// In the namespace that is mounted on this file
    #[arg(long)]
    path: Option<PathBuf>,
}

/// Which namespace.
#[derive(Debug, Args)]
pub struct PidsArgs {
    /// Its name
    name: NsName,
}

/// Which process.
#[derive(Debug, Args)]
pub struct IdentifyArgs {
    /// The process; this one if absent
    pid: Option<u32>,
}

/// Which name for which process.
#[derive(Debug, Args)]
pub struct AttachArgs {
    /// The new name
    name: NsName,
    /// A process in the namespace
    pid: u32,
}

/// Which number for which namespace.
#[derive(Debug, Args)]
pub struct SetIdArgs {
    /// Its name
    name: NsName,
    /// The number, or `auto` for the lowest free one
    #[arg(value_parser = ids::parse, value_name = "ID|auto")]
    id: ids::WantedId,
}

/// Does what the command says.
pub async fn run(command: NsCommand) -> Result<Report> {
    match command {
        NsCommand::Add(AddArgs { names, lo }) => names::add(&names, lo).await,
        NsCommand::Del(DelArgs { names, all }) => names::del(names, all),
        NsCommand::List => list::list().await,
        NsCommand::Exec(ExecArgs { target: ExecTarget { name, all, pid, path }, command }) => {
            match (name, pid, path) {
                _ if all => exec::in_all(&command),
                (Some(name), ..) => exec::replace(&Netns::named(&name)?, Some(&name), &command),
                (_, Some(pid), _) => exec::replace(&Netns::of_pid(pid)?, None, &command),
                (_, _, Some(path)) => exec::replace(&Netns::at_path(&path)?, None, &command),
                (None, None, None) => exec::replace(&Netns::current()?, None, &command),
            }
        }
        NsCommand::Pids(PidsArgs { name }) => processes::pids(&name),
        NsCommand::Identify(IdentifyArgs { pid }) => processes::identify(pid),
        NsCommand::Attach(AttachArgs { name, pid }) => names::attach(&name, pid),
        NsCommand::SetId(SetIdArgs { name, id }) => ids::set(&name, id).await,
        NsCommand::ListId => ids::list().await,
    }
}

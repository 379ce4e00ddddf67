//! `ns exec`.

use std::{
    ffi::OsString,
    io,
    os::unix::process::CommandExt,
    process::{Command, ExitStatus},
};

use anyhow::{Context, Result, anyhow};

use crate::{
    cli::{
        output::{self, Report},
        several,
    },
    host::netns::{self, Netns},
    name::NsName,
};

/// Turns this process into the command, inside the namespace. Comes back only to say why not.
pub(super) fn replace(ns: &Netns, name: Option<&NsName>, command: &[OsString]) -> Result<Report> {
    let (program, arguments) = split(command)?;
    netns::enter_like_ip(ns, name)?;
    Err(not_run(program, Command::new(program).args(arguments).exec()))
}

/// Runs the command in every namespace that has a name.
pub(super) fn in_all(command: &[OsString]) -> Result<Report> {
    let results = netns::list()?.into_iter().map(|name| {
        output::note(&format!("netns: {name}"));
        match in_child(&name, command)? {
            status if status.success() => Ok(()),
            status => Err(anyhow!("the command failed in namespace `{name}`: {status}")),
        }
    });
    // The failures are told after the last command has run, so they are not lost in its output.
    let results: Vec<Result<()>> = results.collect();
    several::all(results)?;
    Ok(Report::silent())
}

/// A thread enters the namespace and starts the command; the mounts that it makes go with it.
fn in_child(name: &NsName, command: &[OsString]) -> Result<ExitStatus> {
    let ns = Netns::named(name)?;
    let (program, arguments) = split(command)?;
    std::thread::scope(|scope| {
        let inside = scope.spawn(|| {
            netns::enter_like_ip(&ns, Some(name))?;
            Command::new(program).args(arguments).status().map_err(|error| not_run(program, error))
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn split(command: &[OsString]) -> Result<(&OsString, &[OsString])> {
    command.split_first().context("there is no command; give one after `--`")
}

fn not_run(program: &OsString, error: io::Error) -> anyhow::Error {
    let name = program.to_string_lossy().into_owned();
    match error.kind() {
        io::ErrorKind::NotFound => anyhow!("there is no command `{name}`; check its spelling and PATH"),
        _ => anyhow::Error::new(error).context(format!("cannot run `{name}`")),
    }
}

//! `ns pids` and `ns identify`.

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::output::Report,
    host::netns::{self, Netns},
    name::NsName,
};

pub(super) fn pids(name: &NsName) -> Result<Report> {
    let pids = netns::pids(&Netns::named(name)?)?;
    let lines: Vec<_> = pids.iter().map(u32::to_string).collect();
    Ok(Report::new(lines.join("\n"), &pids)?)
}

/// In which namespace a process is.
#[derive(Serialize)]
struct Identity {
    pid: u32,
    inode: u64,
    names: Vec<NsName>,
}

pub(super) fn identify(pid: Option<u32>) -> Result<Report> {
    let ns = match pid {
        Some(pid) => Netns::of_pid(pid)?,
        None => Netns::current()?,
    };
    let names = netns::identify(&ns)?;
    let text = names.iter().map(NsName::as_str).collect::<Vec<_>>().join("\n");
    let identity = Identity { pid: pid.unwrap_or_else(std::process::id), inode: ns.inode()?.1, names };
    Ok(Report::new(text, &identity)?)
}

//! `ns list`.

use std::collections::HashMap;

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::output::Report,
    host::{
        Host, HostError,
        netns::{self, Netns},
    },
    name::NsName,
};

/// One namespace. What is absent is not known: the name is a left-over, or the caller may not look.
#[derive(Serialize)]
struct Row {
    name: NsName,
    nsid: Option<i32>,
    inode: Option<u64>,
    interfaces: Option<usize>,
    processes: Option<usize>,
}

pub(super) async fn list() -> Result<Report> {
    let here = Host::here()?;
    let spaces = netns::process_spaces()?;
    let processes: HashMap<_, _> = spaces.iter().map(|space| (space.inode, space.pids.len())).collect();
    let mut rows = Vec::new();
    for name in netns::list()? {
        rows.push(row(&here, name, &processes).await?);
    }
    let header = ["name", "id", "inode", "interfaces", "processes"];
    Ok(Report::table(&header, &rows, |row| {
        vec![row.name.to_string(), cell(row.nsid), cell(row.inode), cell(row.interfaces), cell(row.processes)]
    })?)
}

async fn row(here: &Host, name: NsName, processes: &HashMap<(u64, u64), usize>) -> Result<Row, HostError> {
    let Ok(ns) = Netns::named(&name) else {
        return Ok(Row { name, nsid: None, inode: None, interfaces: None, processes: None });
    };
    let inode = ns.inode()?;
    let interfaces = match Host::at(&ns) {
        Ok(there) => Some(there.links().await?.len()),
        Err(HostError::NoPrivilege { .. }) => None,
        Err(error) => return Err(error),
    };
    Ok(Row {
        name,
        nsid: here.nsid_of(&ns).await?,
        inode: Some(inode.1),
        interfaces,
        processes: Some(processes.get(&inode).copied().unwrap_or(0)),
    })
}

/// A dash for what is not known.
pub(super) fn cell(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

//! `link list` and `link show`.

use std::collections::HashSet;

use anyhow::Result;

use super::{
    namespace,
    row::{Row, dash, rows},
};
use crate::{
    cli::output::Report,
    host::{
        Host, HostError,
        netns::{self, Netns},
    },
    name::{IfName, NsName},
};

const HEADER: [&str; 9] = [
    "name",
    "index",
    "kind",
    "state",
    "mtu",
    "mac",
    "addresses",
    "master",
    "peer",
];

/// The interfaces of one namespace.
pub(super) async fn list(netns: Option<&NsName>) -> Result<Report> {
    let rows = rows_in(&namespace(netns)?, netns).await?;
    Ok(Report::table(&HEADER, &rows, cells)?)
}

/// The interfaces of this namespace and of all that have a name.
pub(super) async fn list_all() -> Result<Report> {
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    let here = Netns::current()?;
    seen.insert(here.inode()?);
    all.extend(rows_in(&here, None).await?);
    for name in netns::list()? {
        // A name may be a left-over without a namespace, or a second one for a namespace that was listed.
        let Ok(ns) = Netns::named(&name) else { continue };
        if seen.insert(ns.inode()?) {
            all.extend(rows_in(&ns, Some(&name)).await?);
        }
    }
    let header: Vec<_> = std::iter::once("netns").chain(HEADER).collect();
    Ok(Report::table(&header, &all, |row| {
        let place = row.netns.clone().unwrap_or_else(|| "-".to_owned());
        std::iter::once(place).chain(cells(row)).collect()
    })?)
}

/// Everything about one interface.
pub(super) async fn show(name: &IfName, netns: Option<&NsName>) -> Result<Report> {
    let ns = namespace(netns)?;
    let host = Host::at(&ns)?;
    let link = host.link(name).await?;
    let label = label(&ns, netns)?;
    let row = rows(&host, label.as_deref(), &[link]).await?.pop();
    let row = row.ok_or_else(|| HostError::NoSuchLink {
        name: name.to_string(),
    })?;
    Ok(Report::new(row.facts(), &row)?)
}

async fn rows_in(ns: &Netns, name: Option<&NsName>) -> Result<Vec<Row>, HostError> {
    let host = Host::at(ns)?;
    let label = label(ns, name)?;
    let links = host.links().await?;
    rows(&host, label.as_deref(), &links).await
}

/// The name of a namespace: the one that was asked for, else its first.
fn label(ns: &Netns, name: Option<&NsName>) -> Result<Option<String>, HostError> {
    match name {
        Some(name) => Ok(Some(name.to_string())),
        None => Ok(netns::identify(ns)?.first().map(ToString::to_string)),
    }
}

fn cells(row: &Row) -> Vec<String> {
    vec![
        row.name.clone(),
        row.index.to_string(),
        row.kind.clone(),
        row.state.to_owned(),
        row.mtu.to_string(),
        dash(row.mac.clone().unwrap_or_default()),
        row.addresses(),
        dash(row.master.clone().unwrap_or_default()),
        row.peer_cell(),
    ]
}

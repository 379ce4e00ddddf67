//! `link list` and `link show`.

use anyhow::Result;

use super::{
    namespace,
    row::{Row, dash, rows},
};
use crate::{
    cli::output::Report,
    host::{
        Atlas, Host, HostError,
        netns::{self, Netns},
    },
    name::{IfName, NsName},
};

const HEADER: [&str; 9] = ["name", "index", "kind", "state", "mtu", "mac", "addresses", "master", "peer"];

/// The interfaces of one namespace.
pub(super) async fn list(netns: Option<&NsName>) -> Result<Report> {
    let ns = namespace(netns)?;
    let host = Host::at(&ns)?;
    let links = host.links().await?;
    let rows = rows(&mut Atlas::new()?, &host, label(&ns, netns)?.as_ref(), &links).await?;
    Ok(Report::table(&HEADER, &rows, cells)?)
}

/// The interfaces of this namespace and of all that have a name.
pub(super) async fn list_all() -> Result<Report> {
    let mut atlas = Atlas::new()?;
    let mut all = Vec::new();
    for place in atlas.named() {
        let host = match place.open().and_then(|ns| Host::at(&ns)) {
            Ok(host) => host,
            // It was deleted while we looked.
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error.into()),
        };
        let links = atlas.links(&place).await?.to_vec();
        all.extend(rows(&mut atlas, &host, place.name.as_ref(), &links).await?);
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
    let row = rows(&mut Atlas::new()?, &host, label(&ns, netns)?.as_ref(), &[link]).await?.pop();
    let row = row.ok_or_else(|| HostError::NoSuchLink { name: name.to_string() })?;
    Ok(Report::new(row.facts(), &row)?)
}

/// The name of a namespace: the one that was asked for, else its first.
fn label(ns: &Netns, name: Option<&NsName>) -> Result<Option<NsName>, HostError> {
    match name {
        Some(name) => Ok(Some(name.clone())),
        None => Ok(netns::identify(ns)?.into_iter().next()),
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

//! `ns add`, `ns del` and `ns attach`.

use anyhow::Result;
use serde::Serialize;

use crate::{
    cli::{output::Report, several},
    host::{
        Host, HostError, Uninterrupted,
        netns::{self, Netns},
    },
    name::NsName,
};

/// A namespace that was made.
#[derive(Serialize)]
struct Made<'a> {
    name: &'a NsName,
    inode: u64,
}

impl<'a> Made<'a> {
    fn new(name: &'a NsName, ns: &Netns) -> Result<Self, HostError> {
        Ok(Self { name, inode: ns.inode()?.1 })
    }
}

pub(super) async fn add(names: &[NsName], lo: bool) -> Result<Report> {
    let mut made = Vec::new();
    for name in names {
        made.push(add_one(name, lo).await);
    }
    Ok(Report::new("", &several::all(made)?)?)
}

async fn add_one(name: &NsName, lo: bool) -> Result<Made<'_>, HostError> {
    let _whole = Uninterrupted::begin();
    let ns = netns::create(name)?;
    let finish = async {
        if lo {
            let host = Host::at(&ns)?;
            let loopback = host.links().await?.into_iter().find(|link| link.name == "lo");
            if let Some(loopback) = loopback {
                host.set_up(loopback.index, true).await?;
            }
        }
        Made::new(name, &ns)
    };
    match finish.await {
        Ok(made) => Ok(made),
        Err(failure) => match netns::delete(name) {
            Ok(()) => Err(failure),
            Err(undo) => Err(HostError::NotUndone { failure: Box::new(failure), undo: undo.to_string() }),
        },
    }
}

pub(super) fn del(names: Vec<NsName>, all: bool) -> Result<Report> {
    let names = if all { netns::list()? } else { names };
    several::all(names.iter().map(netns::delete))?;
    Ok(Report::new("", &names)?)
}

pub(super) fn attach(name: &NsName, pid: u32) -> Result<Report> {
    let ns = netns::attach(name, pid)?;
    Ok(Report::new("", &Made::new(name, &ns)?)?)
}

//! `link del`.

use anyhow::Result;

use super::namespace;
use crate::{
    cli::{output::Report, several},
    host::{Host, HostError},
    name::{IfName, NsName},
};

pub(super) async fn del(names: &[IfName], netns: Option<&NsName>) -> Result<Report> {
    let host = Host::at(&namespace(netns)?)?;
    // All are looked up first: both ends of a cable may be named, and the second is gone with the first.
    let mut links = Vec::new();
    for name in names {
        links.push(host.link(name).await);
    }
    let mut results = Vec::new();
    for link in links {
        results.push(match link {
            Ok(link) => match host.delete_link(link.index).await {
                Err(HostError::LinkGone { .. }) => Ok(()),
                other => other,
            },
            Err(error) => Err(error),
        });
    }
    several::all(results)?;
    Ok(Report::new("", &names)?)
}

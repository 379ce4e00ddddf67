//! `ns set-id` and `ns list-id`.

use anyhow::{Context, Result};
use serde::Serialize;

use super::list::cell;
use crate::{
    cli::output::Report,
    host::{Atlas, Host, Netns},
    name::NsName,
};

/// A number, or any.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WantedId(Option<u32>);

/// Reads a number or `auto`.
pub(super) fn parse(text: &str) -> Result<WantedId, String> {
    match text {
        "auto" => Ok(WantedId(None)),
        // The kernel's numbers are signed, with the negative ones reserved.
        number => match number.parse::<u32>() {
            Ok(id) if i32::try_from(id).is_ok() => Ok(WantedId(Some(id))),
            _ => Err(format!("it is no id; write a number from 0 to {}, or `auto`", i32::MAX)),
        },
    }
}

/// A namespace and its number.
#[derive(Serialize)]
struct Row {
    nsid: i32,
    name: Option<NsName>,
    pid: Option<u32>,
}

pub(super) async fn set(name: &NsName, WantedId(id): WantedId) -> Result<Report> {
    let ns = Netns::named(name)?;
    let host = Host::here()?;
    host.set_nsid(&ns, id).await?;
    let nsid = host.nsid_of(&ns).await?.with_context(|| format!("namespace `{name}` lost its id at once"))?;
    // The number is only news if it was not given.
    let text = if id.is_none() { nsid.to_string() } else { String::new() };
    Ok(Report::new(text, &Row { nsid, name: Some(name.clone()), pid: None })?)
}

pub(super) async fn list() -> Result<Report> {
    let host = Host::here()?;
    let ids = host.nsids().await?;
    let places = Atlas::new()?.resolve(&host, ids.iter().copied()).await?;
    let rows: Vec<_> = ids
        .into_iter()
        .map(|nsid| {
            let place = places.get(&nsid);
            Row {
                nsid,
                name: place.and_then(|place| place.name.clone()),
                pid: place.and_then(|place| place.pid),
            }
        })
        .collect();
    Ok(Report::table(&["id", "name", "process"], &rows, |row| {
        vec![row.nsid.to_string(), cell(row.name.as_ref()), cell(row.pid)]
    })?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_numbers_or_auto() {
        assert_eq!(parse("auto"), Ok(WantedId(None)));
        assert_eq!(parse("7"), Ok(WantedId(Some(7))));
        for bad in ["", "-1", "x", "2147483648", "4294967296"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}

//! Moving a link to another namespace without losing its configuration.

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use rtnetlink::packet_route::link::LinkAttribute;

use super::{Change, Host, HostError, Link, Uninterrupted, netns::Netns, snapshot::Snapshot};
use crate::name::IfName;

/// What became of a moved link.
#[derive(Debug)]
pub struct Moved {
    /// The link as it is now, in its new namespace.
    pub link: Link,
    /// What it could not take along, such as a route, each with the reason.
    pub lost: Vec<String>,
}

/// Makes changes to a link and moves it from `home` to `target`. The kernel takes a link down and strips it when it is
/// moved; addresses, MTU, flags, up state and routes are given back. If anything fails, the link returns to `home`
/// with all that it had.
pub async fn move_link(
    home: &Netns,
    name: &IfName,
    target: &Netns,
    changes: &[Change],
) -> Result<Moved, HostError> {
    let _whole = Uninterrupted::begin();
    let here = Host::at(home)?;
    let there = Host::at(target)?;
    let before = here.link(name).await?;
    here.apply(&before, changes).await?;
    let index = before.index;
    let link = match here.link_by_index(index).await {
        Ok(link) => link.ok_or(HostError::LinkGone { index })?,
        Err(failure) => return Err(here.revert(&before, changes, failure).await),
    };
    if home.is_same(target)? {
        return Ok(Moved { link, lost: Vec::new() });
    }
    let attempt = async {
        let snapshot = here.snapshot(&link).await?;
        push(&here, &link, target).await?;
        match arrive(&there, &link, &snapshot).await {
            Ok(mut moved) => {
                if link.master.is_some() {
                    moved.lost.push("its place in its master (which stays behind)".to_owned());
                }
                Ok(moved)
            }
            Err(failure) => Err(bring_back(&here, &there, home, &link, &snapshot, failure).await),
        }
    };
    match attempt.await {
        Ok(moved) => Ok(moved),
        Err(failure) => Err(here.revert(&before, changes, failure).await),
    }
}

async fn push(from: &Host, link: &Link, target: &Netns) -> Result<(), HostError> {
    let answer =
        from.set_attributes(link.index, vec![LinkAttribute::NetNsFd(target.as_fd().as_raw_fd())]).await;
    answer.map_err(|refusal| match refusal.errno {
        Errno::EEXIST => HostError::LinkExists { name: link.name.clone() },
        Errno::EINVAL if refusal.said.as_ref().is_none_or(|said| said.contains("immutable")) => {
            HostError::Refused {
                doing: format!("move `{}` to {target}", link.name),
                errno: refusal.errno,
                reason: format!("a {} cannot leave its namespace", link.kind.word()),
            }
        }
        _ => refusal.error(format!("move `{}` to {target}", link.name)),
    })
}

/// Finds the link by its name, since its index may have changed, and gives it its configuration.
async fn arrive(at: &Host, link: &Link, snapshot: &Snapshot) -> Result<Moved, HostError> {
    let index = find(at, link).await?.index;
    let lost = at.restore(index, snapshot).await?;
    Ok(Moved { link: find(at, link).await?, lost })
}

async fn find(at: &Host, link: &Link) -> Result<Link, HostError> {
    let name = link.name.parse().map_err(|_| HostError::NoSuchLink { name: link.name.clone() })?;
    at.link(&name).await
}

async fn bring_back(
    here: &Host,
    there: &Host,
    home: &Netns,
    link: &Link,
    snapshot: &Snapshot,
    failure: HostError,
) -> HostError {
    let back = async {
        let stray = find(there, link).await?;
        push(there, &stray, home).await?;
        let returned = arrive(here, link, snapshot).await?;
        if link.master.is_some() {
            here.set_master(returned.link.index, link.master).await?;
        }
        Ok(())
    };
    let back: Result<(), HostError> = back.await;
    match back {
        Ok(()) => failure,
        Err(undo) => HostError::NotUndone { failure: Box::new(failure), undo: undo.to_string() },
    }
}

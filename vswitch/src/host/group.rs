//! Many links deleted at once.

use std::collections::BTreeSet;

use nix::errno::Errno;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    link::{LinkAttribute, LinkMessage},
};

use super::{Host, HostError, netlink::CHANGE};

/// Groups are searched from here upwards: numbers that people choose by hand are small.
const FIRST_GROUP: u32 = 0x7673_0000;

impl Host {
    /// Deletes links that all are software devices. The kernel waits for its readers once for all of them, not once
    /// for each, which takes tens of milliseconds: they are put into a link group of their own, and that is deleted.
    ///
    /// # Errors
    /// When the kernel refuses. Links that vanished meanwhile are no error.
    pub async fn delete_links(&self, indices: &[u32]) -> Result<(), HostError> {
        let [_, _, ..] = indices else {
            return match indices.first() {
                Some(index) => absent_is_deleted(self.delete_link(*index).await),
                None => Ok(()),
            };
        };
        let taken: BTreeSet<u32> = self.links().await?.iter().map(|link| link.group).collect();
        let group = (FIRST_GROUP..u32::MAX).find(|group| !taken.contains(group)).unwrap_or(FIRST_GROUP);
        for index in indices {
            absent_is_deleted(self.set_group(*index, group).await)?;
        }
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::Group(group));
        match self.request(RouteNetlinkMessage::DelLink(message), CHANGE).await {
            Ok(_) => Ok(()),
            // All of them went by themselves.
            Err(refusal) if refusal.errno == Errno::ENODEV => Ok(()),
            Err(refusal) => Err(refusal.error(format!("delete {} interfaces", indices.len()))),
        }
    }

    async fn set_group(&self, index: u32, group: u32) -> Result<(), HostError> {
        match self.set_attribute(index, LinkAttribute::Group(group)).await {
            Ok(()) => Ok(()),
            Err(refusal) => Err(self.about(index, refusal, |name| format!("put {name} into a group")).await),
        }
    }
}

fn absent_is_deleted(result: Result<(), HostError>) -> Result<(), HostError> {
    match result {
        Err(error) if error.is_absent() => Ok(()),
        other => other,
    }
}

//! Questions to the kernel about links.

use std::collections::HashMap;

use nix::errno::Errno;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    address::AddressMessage,
    link::{LinkAttribute, LinkExtentMask, LinkMessage},
};

use super::{Host, HostError, Link, LinkAddress, error::Refusal};
use crate::name::IfName;

impl Host {
    /// All links of the namespace, with their addresses.
    pub async fn links(&self) -> Result<Vec<Link>, HostError> {
        let doing = "list the interfaces";
        let answers = self
            .dump(RouteNetlinkMessage::GetLink(without_statistics()))
            .await
            .map_err(|refusal| refusal.error(doing))?;
        let mut links: Vec<_> = answers.iter().filter_map(as_link).map(Link::from_message).collect();
        let mut addresses: HashMap<u32, Vec<LinkAddress>> = HashMap::new();
        for message in self.address_messages(0).await.map_err(|refusal| refusal.error(doing))? {
            addresses.entry(message.header.index).or_default().extend(LinkAddress::from_message(&message));
        }
        for link in &mut links {
            link.addresses = addresses.remove(&link.index).unwrap_or_default();
        }
        Ok(links)
    }

    /// The link of this name.
    ///
    /// # Errors
    /// [`HostError::NoSuchLink`] if there is none.
    pub async fn link(&self, name: &IfName) -> Result<Link, HostError> {
        let mut request = without_statistics();
        request.attributes.push(LinkAttribute::IfName(name.to_string()));
        let found = self
            .one(request)
            .await
            .map_err(|refusal| refusal.error(format!("look up interface `{name}`")))?;
        found.ok_or_else(|| HostError::NoSuchLink { name: name.to_string() })
    }

    /// The link with this index, or none if it is gone.
    pub async fn link_by_index(&self, index: u32) -> Result<Option<Link>, HostError> {
        let mut request = without_statistics();
        request.header.index = index;
        self.one(request).await.map_err(|refusal| refusal.error(format!("look up interface number {index}")))
    }

    /// What a refusal means for a request about one link, told by its name.
    pub(super) async fn about(
        &self,
        index: u32,
        refusal: Refusal,
        doing: impl FnOnce(&str) -> String,
    ) -> HostError {
        if refusal.errno == Errno::ENODEV {
            return HostError::LinkGone { index };
        }
        refusal.error(doing(&self.name_of(index).await))
    }

    /// The name of a link, for a message; its number if it is gone.
    pub(super) async fn name_of(&self, index: u32) -> String {
        match self.link_by_index(index).await {
            Ok(Some(link)) => format!("`{}`", link.name),
            Ok(None) | Err(_) => format!("interface number {index}"),
        }
    }

    async fn one(&self, request: LinkMessage) -> Result<Option<Link>, Refusal> {
        let answers = match self.request(RouteNetlinkMessage::GetLink(request), 0).await {
            Err(refusal) if matches!(refusal.errno, Errno::ENODEV) => return Ok(None),
            answers => answers?,
        };
        let Some(mut link) = answers.iter().find_map(as_link).map(Link::from_message) else {
            return Ok(None);
        };
        let addresses = self.address_messages(link.index).await?;
        link.addresses = addresses.iter().filter_map(LinkAddress::from_message).collect();
        Ok(Some(link))
    }

    /// The addresses of one link, or of all for index 0.
    pub(super) async fn address_messages(&self, index: u32) -> Result<Vec<AddressMessage>, Refusal> {
        let mut request = AddressMessage::default();
        request.header.index = index;
        let answers = match self.dump(RouteNetlinkMessage::GetAddress(request)).await {
            // The link went away in between.
            Err(Refusal { errno: Errno::ENODEV, .. }) => Vec::new(),
            answers => answers?,
        };
        let messages = answers.into_iter().filter_map(|answer| match answer {
            RouteNetlinkMessage::NewAddress(message) => Some(message),
            _ => None,
        });
        Ok(messages.filter(|message| index == 0 || message.header.index == index).collect())
    }
}

/// A request for links that leaves out their counters, which are most of an answer.
fn without_statistics() -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
    message
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an answer of any other type is no link")]
fn as_link(answer: &RouteNetlinkMessage) -> Option<&LinkMessage> {
    match answer {
        RouteNetlinkMessage::NewLink(message) => Some(message),
        _ => None,
    }
}

//! Numbers that one namespace gives to others (`ip netns set`, `RTM_NEWNSID`).

use std::os::fd::{AsFd, AsRawFd};

use nix::errno::Errno;
use rtnetlink::packet_route::{
    RouteNetlinkMessage,
    nsid::{NsidAttribute, NsidMessage},
};

use super::{Host, HostError, netlink::CHANGE, netns::Netns};

impl Host {
    /// The number that this namespace gave to another one, if it did.
    pub async fn nsid_of(&self, ns: &Netns) -> Result<Option<i32>, HostError> {
        let answers = self.request(RouteNetlinkMessage::GetNsId(about(ns)), 0).await;
        let answers = answers.map_err(|refusal| refusal.error(format!("ask for the id of {ns}")))?;
        Ok(answers.iter().find_map(id_in))
    }

    /// Gives a namespace a number, here; none: the lowest free one. It keeps it as long as both exist.
    pub async fn set_nsid(&self, ns: &Netns, id: Option<u32>) -> Result<(), HostError> {
        let doing = format!("give {ns} an id");
        let number = id.map_or(Ok(-1), i32::try_from);
        let number = number.map_err(|_| HostError::Refused {
            doing: doing.clone(),
            errno: Errno::ERANGE,
            reason: format!("{} is too large; use at most {}", id.unwrap_or_default(), i32::MAX),
        })?;
        let mut message = about(ns);
        message.attributes.push(NsidAttribute::Id(number));
        let Err(refusal) = self.request(RouteNetlinkMessage::NewNsId(message), CHANGE).await else {
            return Ok(());
        };
        if refusal.errno != Errno::EEXIST {
            return Err(refusal.error(doing));
        }
        let reason = match (self.nsid_of(ns).await?, id) {
            (Some(old), _) => format!("it has the id {old} already, which lasts as long as the namespace"),
            (None, Some(id)) => {
                format!("the id {id} belongs to another namespace; use `auto` for a free one")
            }
            (None, None) => refusal.reason(),
        };
        Err(HostError::Refused { doing, errno: refusal.errno, reason })
    }

    /// All numbers that this namespace gave, in order.
    pub async fn nsids(&self) -> Result<Vec<i32>, HostError> {
        let answers = self.dump(RouteNetlinkMessage::GetNsId(NsidMessage::default())).await;
        let answers = answers.map_err(|refusal| refusal.error("list the ids of namespaces"))?;
        let mut ids: Vec<_> = answers.iter().filter_map(id_in).collect();
        ids.sort_unstable();
        Ok(ids)
    }
}

fn about(ns: &Netns) -> NsidMessage {
    let mut message = NsidMessage::default();
    message.attributes = vec![NsidAttribute::Fd(ns.as_fd().as_raw_fd().cast_unsigned())];
    message
}

#[expect(clippy::wildcard_enum_match_arm, reason = "an answer of any other type has no id")]
fn id_in(answer: &RouteNetlinkMessage) -> Option<i32> {
    match answer {
        RouteNetlinkMessage::NewNsId(message) => {
            message.attributes.iter().find_map(|attribute| match attribute {
                NsidAttribute::Id(id) if *id >= 0 => Some(*id),
                _ => None,
            })
        }
        _ => None,
    }
}

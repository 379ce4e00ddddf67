//! An interface as it is told to people and scripts.

use serde::Serialize;

use crate::{
    host::{Atlas, Host, HostError, Link, LinkAddress, TunDetails},
    name::NsName,
};

/// One interface.
#[derive(Debug, Serialize)]
pub(super) struct Row {
    /// Name of the namespace that it is in, if that has one.
    pub(super) netns: Option<String>,
    pub(super) name: String,
    pub(super) index: u32,
    pub(super) kind: String,
    /// `up`, `no-carrier` or `down`.
    pub(super) state: &'static str,
    pub(super) mtu: u32,
    pub(super) min_mtu: u32,
    /// Absent: no limit.
    pub(super) max_mtu: Option<u32>,
    pub(super) mac: Option<String>,
    pub(super) promiscuous: bool,
    pub(super) addresses: Vec<LinkAddress>,
    pub(super) master: Option<String>,
    /// The other end of a cable.
    pub(super) peer: Option<Far>,
    /// The device below.
    pub(super) lower: Option<Far>,
    /// More about a tun or tap.
    pub(super) tun: Option<TunDetails>,
}

/// Another interface, perhaps in another namespace.
#[derive(Debug, Serialize)]
pub(super) struct Far {
    index: u32,
    /// Absent if its namespace could not be looked into.
    name: Option<String>,
    /// Name of the namespace that it is in, if that has one.
    netns: Option<String>,
    /// A process in that namespace, if it has no name.
    pid: Option<u32>,
    /// Number of that namespace as seen from here; absent: the same namespace.
    nsid: Option<i32>,
}

impl Far {
    /// One in the same namespace, which has this name.
    fn beside(index: u32, name: Option<String>, netns: Option<&NsName>) -> Self {
        Self { index, name, netns: netns.map(ToString::to_string), pid: None, nsid: None }
    }

    /// The other end of a cable that `link` is an end of; it is known to be in a namespace of this name.
    pub(super) fn end(link: &Link, other: &Link, netns: Option<&NsName>) -> Self {
        Self { nsid: link.peer_nsid, ..Self::beside(other.index, Some(other.name.clone()), netns) }
    }

    /// One cell of a table: the name, and where it is if that is somewhere else.
    fn cell(&self) -> String {
        let name = self.name.clone().unwrap_or_else(|| format!("#{}", self.index));
        match (self.nsid, &self.netns, self.pid) {
            (None, ..) => name,
            (Some(_), Some(netns), _) => format!("{name} in {netns}"),
            (Some(_), None, Some(pid)) => format!("{name} in pid:{pid}"),
            (Some(nsid), None, None) => format!("{name} in nsid:{nsid}"),
        }
    }
}

/// Describes links of a namespace of this name, to which `host` is connected.
pub(super) async fn rows(
    atlas: &mut Atlas,
    host: &Host,
    netns: Option<&NsName>,
    links: &[Link],
) -> Result<Vec<Row>, HostError> {
    let places = atlas.resolve(host, links.iter().filter_map(|link| link.peer_nsid)).await?;
    let needs_names = links
        .iter()
        .any(|link| link.master.is_some() || link.peer_index.is_some() && link.peer_nsid.is_none());
    // The links may be a choice of one, whose master and peer are among the others.
    let neighbours = if needs_names { host.links().await? } else { Vec::new() };
    let name_in = |links: &[Link], index| {
        links.iter().find(|other| other.index == index).map(|other| other.name.clone())
    };
    let mut rows = Vec::new();
    for link in links {
        let far = match (link.peer_index, link.peer_nsid) {
            (None, _) => None,
            (Some(index), None) if index == link.index => None,
            (Some(index), None) => Some(Far::beside(index, name_in(&neighbours, index), netns)),
            (Some(index), Some(nsid)) => Some(match places.get(&nsid) {
                Some(place) => Far {
                    index,
                    name: name_in(atlas.links(place).await?, index),
                    netns: place.name.as_ref().map(ToString::to_string),
                    pid: place.pid,
                    nsid: Some(nsid),
                },
                None => Far { index, name: None, netns: None, pid: None, nsid: Some(nsid) },
            }),
        };
        let master =
            link.master.map(|index| name_in(&neighbours, index).unwrap_or_else(|| format!("#{index}")));
        rows.push(Row::new(link, netns, master, far));
    }
    Ok(rows)
}

impl Row {
    /// Describes a link of a namespace of this name.
    pub(super) fn new(link: &Link, netns: Option<&NsName>, master: Option<String>, far: Option<Far>) -> Self {
        let (peer, lower) = if link.kind.is_pair() { (far, None) } else { (None, far) };
        Self {
            netns: netns.map(ToString::to_string),
            name: link.name.clone(),
            index: link.index,
            kind: link.kind.word().to_owned(),
            state: match (link.up, link.running) {
                (false, _) => "down",
                (true, false) => "no-carrier",
                (true, true) => "up",
            },
            mtu: link.mtu,
            min_mtu: link.min_mtu,
            max_mtu: (link.max_mtu < u32::MAX).then_some(link.max_mtu),
            mac: link.mac.map(|mac| mac.to_string()),
            promiscuous: link.promiscuous,
            addresses: link.addresses.clone(),
            master,
            peer,
            lower,
            tun: link.tun,
        }
    }

    /// The addresses in one cell.
    pub(super) fn addresses(&self) -> String {
        let texts: Vec<_> = self.addresses.iter().map(|address| address.ip.to_string()).collect();
        dash(texts.join(" "))
    }

    /// The other end, or the device below.
    pub(super) fn peer_cell(&self) -> String {
        match (&self.peer, &self.lower) {
            (Some(peer), _) => peer.cell(),
            (None, Some(lower)) => format!("on {}", lower.cell()),
            (None, None) => "-".to_owned(),
        }
    }

    /// Everything, one fact a line.
    pub(super) fn facts(&self) -> String {
        let mut facts = vec![
            ("name", self.name.clone()),
            ("index", self.index.to_string()),
            ("kind", self.kind.clone()),
            ("state", self.state.to_owned()),
            ("mtu", self.mtu_fact()),
        ];
        facts.extend(self.netns.clone().map(|netns| ("netns", netns)));
        facts.extend(self.mac.clone().map(|mac| ("mac", mac)));
        facts.extend(
            self.addresses.iter().map(|address| ("address", format!("{} ({})", address.ip, address.scope))),
        );
        facts.extend(self.master.clone().map(|master| ("master", master)));
        facts.extend(
            self.peer.as_ref().map(|peer| ("peer", format!("{} (index {})", peer.cell(), peer.index))),
        );
        facts.extend(
            self.lower.as_ref().map(|lower| ("lower", format!("{} (index {})", lower.cell(), lower.index))),
        );
        if self.promiscuous {
            facts.push(("promiscuous", "on".to_owned()));
        }
        facts.extend(self.tun.as_ref().into_iter().flat_map(tun_facts));
        let lines: Vec<_> = facts.into_iter().map(|(key, value)| format!("{key:<12} {value}")).collect();
        lines.join("\n")
    }

    fn mtu_fact(&self) -> String {
        match self.max_mtu {
            Some(max) => format!("{} ({} to {max})", self.mtu, self.min_mtu),
            None => self.mtu.to_string(),
        }
    }
}

fn tun_facts(tun: &TunDetails) -> Vec<(&'static str, String)> {
    let on = |value| if value { "on" } else { "off" }.to_owned();
    let TunDetails { persistent, owner, group, multi_queue, vnet_header, packet_information, queues } = tun;
    let mut facts = vec![
        ("persistent", on(*persistent)),
        ("multi-queue", on(*multi_queue)),
        ("vnet-header", on(*vnet_header)),
        ("packet-info", on(*packet_information)),
        ("open queues", queues.to_string()),
    ];
    facts.extend(owner.map(|owner| ("owner", owner.to_string())));
    facts.extend(group.map(|group| ("group", group.to_string())));
    facts
}

/// A dash for nothing.
pub(super) fn dash(text: String) -> String {
    if text.is_empty() { "-".to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_end_is_told_by_name_and_place() {
        let far =
            Far { index: 5, name: Some("eth0".into()), netns: Some("web".into()), pid: None, nsid: Some(0) };
        assert_eq!(far.cell(), "eth0 in web");
        assert_eq!(Far { netns: None, pid: Some(12), ..far }.cell(), "eth0 in pid:12");
        let unknown = Far { index: 5, name: None, netns: None, pid: None, nsid: Some(3) };
        assert_eq!(unknown.cell(), "#5 in nsid:3");
        assert_eq!(Far { nsid: None, name: Some("b".into()), ..unknown }.cell(), "b");
    }
}

//! What a switch that filters VLANs does, written down as plainly as possible: the reference where the kernel's bridge
//! has no VLAN filtering. After IEEE 802.1Q and `net/bridge/br_vlan.c`; tests compare the switch with it frame by frame.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::frame::{CTAG, STAG};

/// A port of the model.
#[derive(Clone, Debug, Default)]
pub struct Port {
    /// VLAN of untagged frames.
    pub pvid: Option<u16>,
    /// Whose frames leave with a tag.
    pub tagged: BTreeSet<u16>,
    /// Whose frames leave without one.
    pub untagged: BTreeSet<u16>,
    /// Number on the wire → number inside.
    pub map: BTreeMap<u16, u16>,
}

impl Port {
    /// One VLAN, no tags.
    pub fn access(vid: u16) -> Self {
        Self { pvid: Some(vid), untagged: BTreeSet::from([vid]), ..Self::default() }
    }

    fn has(&self, vid: u16) -> bool {
        self.tagged.contains(&vid) || self.untagged.contains(&vid)
    }

    /// The words of `port set` that make a port like this.
    pub fn words(&self) -> Vec<String> {
        let set = |vids: &BTreeSet<u16>| {
            let text = vids.iter().map(u16::to_string).collect::<Vec<_>>().join(",");
            if text.is_empty() { "none".to_owned() } else { text }
        };
        let map =
            self.map.iter().map(|(wire, inside)| format!("{wire}:{inside}")).collect::<Vec<_>>().join(",");
        vec![
            format!("pvid={}", self.pvid.map_or_else(|| "none".to_owned(), |pvid| pvid.to_string())),
            format!("tagged={}", set(&self.tagged)),
            format!("untagged={}", set(&self.untagged)),
            format!("vlan-map={}", if map.is_empty() { "none".to_owned() } else { map }),
        ]
    }
}

/// The switch of the model.
#[derive(Clone, Debug)]
pub struct Switch {
    /// Its ports.
    pub ports: Vec<Port>,
    /// The tag protocol that counts.
    pub protocol: u16,
    fdb: BTreeMap<(u16, [u8; 6]), usize>,
}

impl Switch {
    /// Nothing is known yet.
    pub fn new(ports: Vec<Port>, protocol: u16) -> Self {
        Self { ports, protocol, fdb: BTreeMap::new() }
    }

    /// Changes a port. What was learned behind it in a VLAN that it leaves is forgotten.
    pub fn set_port(&mut self, port: usize, spec: Port) {
        self.fdb.retain(|(vlan, _), behind| *behind != port || spec.has(*vlan));
        self.ports[port] = spec;
    }

    /// Forgets all addresses.
    pub fn flush(&mut self) {
        self.fdb.clear();
    }

    /// What becomes of a frame that comes in by a port: what leaves, by which ports.
    pub fn receive(&mut self, from: usize, frame: &[u8]) -> Vec<(usize, Bytes)> {
        let (destination, source): ([u8; 6], [u8; 6]) =
            (frame[..6].try_into().expect("six"), frame[6..12].try_into().expect("six"));
        let tag = self.tag(frame);
        let Some(vlan) = self.classify(from, frame, tag) else { return Vec::new() };
        self.fdb.insert((vlan, source), from);
        let known = self.fdb.get(&(vlan, destination)).copied().filter(|_| destination[0] & 1 == 0);
        let to: Vec<usize> = match known {
            Some(port) => vec![port],
            None => (0..self.ports.len()).collect(),
        };
        to.into_iter()
            .filter(|port| *port != from && self.ports[*port].has(vlan))
            .map(|port| (port, self.dress(port, vlan, tag, frame)))
            .collect()
    }

    fn tag(&self, frame: &[u8]) -> Option<u16> {
        (word(frame, 12) == self.protocol).then(|| word(frame, 14))
    }

    fn classify(&self, from: usize, frame: &[u8], tag: Option<u16>) -> Option<u16> {
        let port = &self.ports[from];
        let is_access = port.tagged.is_empty() && port.untagged.len() == 1;
        if tag.is_some() && is_access && [CTAG, STAG].contains(&word(frame, 16)) {
            return None;
        }
        let vlan = match tag.map(|control| control & 0xfff) {
            None | Some(0) => port.pvid?,
            Some(wire) => match port.map.get(&wire) {
                Some(inside) => *inside,
                // It has another number here.
                None if port.map.values().any(|inside| *inside == wire) => return None,
                None => wire,
            },
        };
        Some(vlan).filter(|vlan| port.has(*vlan))
    }

    fn dress(&self, to: usize, vlan: u16, tag: Option<u16>, frame: &[u8]) -> Bytes {
        let port = &self.ports[to];
        let rest = if tag.is_some() { &frame[16..] } else { &frame[12..] };
        let mut bytes = frame[..12].to_vec();
        if port.tagged.contains(&vlan) {
            let wire = port.map.iter().find(|(_, inside)| **inside == vlan).map_or(vlan, |(wire, _)| *wire);
            bytes.extend(self.protocol.to_be_bytes());
            bytes.extend((tag.unwrap_or(0) & 0xf000 | wire).to_be_bytes());
        }
        bytes.extend(rest);
        bytes.into()
    }
}

fn word(frame: &[u8], at: usize) -> u16 {
    frame.get(at..at + 2).map_or(0, |bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, station};

    #[test]
    fn a_frame_of_an_access_port_leaves_a_trunk_with_a_tag() {
        let trunk = Port { tagged: BTreeSet::from([10]), ..Port::default() };
        let mut switch = Switch::new(vec![Port::access(10), Port::access(20), trunk], CTAG);
        let frame = Frame::broadcast(station(1));
        let out = switch.receive(0, &frame.build());
        assert_eq!(out, [(2, frame.tagged(CTAG, 10).build())]);
        assert!(switch.receive(1, &Frame::broadcast(station(2)).build()).is_empty());
    }
}

//! The keys of a port that are about VLANs.

use vswitch_common::vlan::MAX_VID;

use crate::config::{
    keys::{KeyError, KeyValue},
    vlan::{VidSet, vid},
};

/// The keys in the order in which they are shown.
pub const KEYS: [&str; 7] = ["pvid", "tagged", "untagged", "access", "trunk", "native", "vlan-map"];

/// In which VLANs a port is, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortVlanSpec {
    /// The VLAN of untagged and priority-tagged frames; they are dropped if `None`.
    pub pvid: Option<u16>,
    /// VLANs whose frames leave with a tag.
    pub tagged: VidSet,
    /// VLANs whose frames leave without one.
    pub untagged: VidSet,
    /// VLANs that have another number on the wire: (on the wire, inside).
    pub map: Vec<(u16, u16)>,
}

impl PortVlanSpec {
    /// An access port: one VLAN, without tags.
    pub fn access(vid: u16) -> Self {
        Self { pvid: Some(vid), untagged: VidSet::one(vid), ..Self::default() }
    }

    /// What a port gets that is made without a word about VLANs, as with `vlan_default_pvid` of the Linux bridge.
    pub fn by_default(default_pvid: u16) -> Self {
        if default_pvid == 0 { Self::default() } else { Self::access(default_pvid) }
    }

    /// Whether the port is in one VLAN only, without tags.
    pub fn is_access(&self) -> bool {
        self.tagged.is_empty() && self.untagged.iter().count() == 1
    }

    /// Refuses what contradicts itself.
    pub fn check(&self) -> Result<(), KeyError> {
        if let Some(vid) = self.tagged.common(&self.untagged) {
            return Err(KeyError::Contradiction(format!(
                "VLAN {vid} cannot be both tagged and untagged at one port; take it out of `tagged` or of `untagged`"
            )));
        }
        let is_inside = |vid: u16| self.map.iter().any(|(_, inside)| *inside == vid);
        let twin = self.map.iter().find(|(wire, _)| self.tagged.contains(*wire) && !is_inside(*wire));
        if let Some((wire, inside)) = twin {
            return Err(KeyError::Contradiction(format!(
                "VLANs {wire} and {inside} would both have number {wire} on the wire; take {wire} out of `tagged`, or \
                 give it another number with `vlan-map`"
            )));
        }
        if let Some(pvid) = self.pvid
            && !self.tagged.contains(pvid)
            && !self.untagged.contains(pvid)
        {
            return Err(KeyError::Contradiction(format!(
                "`pvid` {pvid} is none of the port's VLANs; add it with `untagged={pvid}`, or use `access={pvid}`"
            )));
        }
        Ok(())
    }
}

/// What is to change about a port's VLANs. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VlanOptions {
    /// 0 = none.
    pvid: Option<u16>,
    tagged: Option<VidSet>,
    untagged: Option<VidSet>,
    map: Option<Vec<(u16, u16)>>,
    /// Given by `native`, so not tagged, whatever `trunk` says.
    native: Option<u16>,
}

impl VlanOptions {
    /// Reads a word; `false` if its key is none of [`KEYS`].
    pub fn set(&mut self, word: &KeyValue) -> Result<bool, KeyError> {
        match word.key.as_str() {
            "pvid" => self.pvid = Some(vid_or_zero(word)?),
            "tagged" => self.tagged = Some(vids(word)?),
            "untagged" => self.untagged = Some(vids(word)?),
            "access" => {
                let vid = vid(&word.value).ok_or_else(|| word.refuse("a VLAN from 1 to 4094"))?;
                let spec = PortVlanSpec::access(vid);
                (self.pvid, self.tagged, self.untagged) = (Some(vid), Some(spec.tagged), Some(spec.untagged));
            }
            "trunk" => {
                self.tagged = Some(vids(word)?);
                // Without `native` a trunk carries tagged frames only.
                self.pvid = Some(self.pvid.unwrap_or(0));
                self.untagged = Some(self.untagged.take().unwrap_or_default());
            }
            "native" => {
                let vid = vid_or_zero(word)?;
                self.pvid = Some(vid);
                self.native = Some(vid);
                self.untagged = Some(Some(vid).filter(|vid| *vid != 0).map(VidSet::one).unwrap_or_default());
            }
            "vlan-map" => self.map = Some(map(word)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Whether nothing is to change.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The VLANs of a port that has `before` now.
    pub fn apply(&self, before: &PortVlanSpec) -> Result<PortVlanSpec, KeyError> {
        let mut spec = PortVlanSpec {
            pvid: self.pvid.map_or(before.pvid, |vid| Some(vid).filter(|vid| *vid != 0)),
            tagged: self.tagged.clone().unwrap_or_else(|| before.tagged.clone()),
            untagged: self.untagged.clone().unwrap_or_else(|| before.untagged.clone()),
            map: self.map.clone().unwrap_or_else(|| before.map.clone()),
        };
        if let Some(native) = self.native {
            spec.tagged.remove(&VidSet::one(native));
        }
        spec.check()?;
        Ok(spec)
    }
}

fn vids(word: &KeyValue) -> Result<VidSet, KeyError> {
    word.value.parse().map_err(|error: crate::config::vlan::ParseVidSetError| word.refuse(error.to_string()))
}

fn vid_or_zero(word: &KeyValue) -> Result<u16, KeyError> {
    match word.value.as_str() {
        "none" | "0" => Ok(0),
        text => vid(text).ok_or_else(|| word.refuse(format!("a VLAN from 1 to {MAX_VID}, or `none`"))),
    }
}

fn map(word: &KeyValue) -> Result<Vec<(u16, u16)>, KeyError> {
    let refuse = || word.refuse("pairs WIRE:INSIDE such as `100:10,200:20`, each number once, or `none`");
    if word.value == "none" {
        return Ok(Vec::new());
    }
    let mut pairs: Vec<(u16, u16)> = Vec::new();
    for pair in word.value.split(',') {
        let (wire, inside) = pair.split_once(':').ok_or_else(refuse)?;
        let (Some(wire), Some(inside)) = (vid(wire), vid(inside)) else { return Err(refuse()) };
        if pairs.iter().any(|(other_wire, other_inside)| *other_wire == wire || *other_inside == inside) {
            return Err(refuse());
        }
        pairs.push((wire, inside));
    }
    pairs.sort_unstable();
    Ok(pairs)
}

/// The translations as they are read.
pub fn map_text(map: &[(u16, u16)]) -> String {
    if map.is_empty() {
        return "none".to_owned();
    }
    map.iter().map(|(wire, inside)| format!("{wire}:{inside}")).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn apply(texts: &[&str], before: &PortVlanSpec) -> Result<PortVlanSpec, KeyError> {
        let mut options = VlanOptions::default();
        for text in texts {
            assert!(options.set(&text.parse()?)?, "{text}");
        }
        options.apply(before)
    }

    fn set(text: &str) -> VidSet {
        text.parse().expect("a set")
    }

    #[test]
    fn access_trunk_and_native_are_short_for_the_three() {
        let before = PortVlanSpec::by_default(1);
        assert_eq!(apply(&["access=10"], &before), Ok(PortVlanSpec::access(10)));
        assert_eq!(
            apply(&["trunk=10-12"], &before),
            Ok(PortVlanSpec { tagged: set("10-12"), ..PortVlanSpec::default() })
        );
        let both = PortVlanSpec { tagged: set("10"), ..PortVlanSpec::access(1) };
        assert_eq!(apply(&["trunk=10", "native=1"], &before), Ok(both.clone()));
        assert_eq!(apply(&["native=1", "trunk=10"], &PortVlanSpec::default()), Ok(both.clone()));
        let all = apply(&["trunk=all", "native=1"], &before).expect("legal");
        assert_eq!((all.tagged.to_string().as_str(), all.pvid), ("2-4094", Some(1)));
        assert_eq!(apply(&["pvid=1", "tagged=10", "untagged=1"], &PortVlanSpec::default()), Ok(both.clone()));
        assert_eq!(apply(&["pvid=none"], &both).map(|spec| spec.pvid), Ok(None));
        assert!(PortVlanSpec::access(4).is_access() && !both.is_access());
    }

    #[test]
    fn contradictions_are_refused() {
        let before = PortVlanSpec::by_default(1);
        for wrong in [&["tagged=1"][..], &["pvid=5"], &["untagged=none"], &["tagged=5", "untagged=1,5"]] {
            assert!(apply(wrong, &before).is_err(), "{wrong:?}");
        }
        let error = apply(&["pvid=5"], &before).expect_err("no member").to_string();
        let expected = "`pvid` 5 is none of the port's VLANs; add it with `untagged=5`, or use `access=5`";
        assert_eq!(error, expected);
    }

    #[test]
    fn translations_are_pairs() {
        let spec = apply(&["vlan-map=200:20,100:10"], &PortVlanSpec::default()).expect("legal");
        assert_eq!(map_text(&spec.map), "100:10,200:20");
        // Two VLANs would have one number on the wire.
        assert!(apply(&["trunk=10,11", "vlan-map=10:11"], &PortVlanSpec::default()).is_err());
        assert!(apply(&["trunk=10,11", "vlan-map=10:11,11:10"], &PortVlanSpec::default()).is_ok());
        for wrong in ["vlan-map=1", "vlan-map=1:0", "vlan-map=1:2,1:3", "vlan-map=1:2,3:2", "vlan-map="] {
            assert!(apply(&[wrong], &PortVlanSpec::default()).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(key in prop::sample::select(KEYS.to_vec()), value in "\\PC*") {
            let _ = VlanOptions::default().set(&KeyValue { key: key.to_owned(), value });
        }
    }
}

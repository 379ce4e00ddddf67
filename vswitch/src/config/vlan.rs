//! Sets of VLANs, as words.

use std::{collections::BTreeSet, fmt, str::FromStr};

use thiserror::Error;
use vswitch_common::vlan::MAX_VID;

/// Why a text is no set of VLANs.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("numbers from 1 to 4094 and ranges such as `1,10-20`, or `all`, or `none`")]
pub struct ParseVidSetError;

/// VLAN identifiers from 1 to 4094.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VidSet(BTreeSet<u16>);

impl VidSet {
    /// One VLAN.
    pub fn one(vid: u16) -> Self {
        Self(BTreeSet::from([vid]))
    }

    /// Whether a VLAN is in it.
    pub fn contains(&self, vid: u16) -> bool {
        self.0.contains(&vid)
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u16> + '_ {
        self.0.iter().copied()
    }

    /// The lowest VLAN that is in both.
    pub fn common(&self, other: &Self) -> Option<u16> {
        self.0.intersection(&other.0).next().copied()
    }

    /// Adds VLANs.
    pub fn insert(&mut self, other: &Self) {
        self.0.extend(&other.0);
    }

    /// Takes VLANs out.
    pub fn remove(&mut self, other: &Self) {
        self.0.retain(|vid| !other.0.contains(vid));
    }
}

impl FromIterator<u16> for VidSet {
    fn from_iter<I: IntoIterator<Item = u16>>(vids: I) -> Self {
        Self(vids.into_iter().collect())
    }
}

/// A VLAN identifier that a station's frames can have.
pub fn vid(text: &str) -> Option<u16> {
    text.parse().ok().filter(|vid| (1..=MAX_VID).contains(vid))
}

impl FromStr for VidSet {
    type Err = ParseVidSetError;

    fn from_str(text: &str) -> Result<Self, ParseVidSetError> {
        match text {
            "none" => return Ok(Self::default()),
            "all" => return Ok((1..=MAX_VID).collect()),
            _ => {}
        }
        let mut set = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (vid(first).ok_or(ParseVidSetError)?, vid(last).ok_or(ParseVidSetError)?);
            if first > last {
                return Err(ParseVidSetError);
            }
            set.extend(first..=last);
        }
        Ok(Self(set))
    }
}

impl fmt::Display for VidSet {
    /// As it is read: `1,10-20`, or `none`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let mut vids = self.0.iter().copied().peekable();
        let mut separator = "";
        while let Some(first) = vids.next() {
            let mut last = first;
            while let Some(next) = vids.next_if_eq(&(last + 1)) {
                last = next;
            }
            if first == last {
                write!(f, "{separator}{first}")?;
            } else {
                write!(f, "{separator}{first}-{last}")?;
            }
            separator = ",";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn sets_are_numbers_and_ranges() {
        let set: VidSet = "10-12,1,4094".parse().expect("a set");
        assert_eq!(set.iter().collect::<Vec<_>>(), [1, 10, 11, 12, 4094]);
        assert_eq!(set.to_string(), "1,10-12,4094");
        assert_eq!("all".parse::<VidSet>().map(|set| set.iter().count()), Ok(4094));
        assert_eq!("none".parse::<VidSet>(), Ok(VidSet::default()));
        for wrong in ["", "0", "4095", "1,", "5-3", "1-", "-1", "a", "1 2", "1-2-3"] {
            assert!(wrong.parse::<VidSet>().is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn text_round_trip(vids in prop::collection::btree_set(1u16..=4094, 0..60)) {
            let set: VidSet = vids.into_iter().collect();
            prop_assert_eq!(set.to_string().parse(), Ok(set));
        }

        #[test]
        fn no_text_panics(text in "\\PC*") {
            let _ = text.parse::<VidSet>();
        }
    }
}

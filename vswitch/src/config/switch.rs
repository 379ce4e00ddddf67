//! The keys of a switch.

use vswitch_common::map::{DEFAULT_FDB_SIZE, DEFAULT_PORT_SLOTS, MAX_FDB_SIZE, MAX_PORT_SLOTS};

use super::{
    keys::{KeyError, KeyValue, unknown},
    text,
    vlan::vid,
};

/// The keys in the order in which they are shown.
pub const KEYS: [&str; 12] = [
    "ageing",
    "fdb-size",
    "port-slots",
    "group-fwd-mask",
    "move-limit",
    "hold",
    "vlan-filtering",
    "vlan-protocol",
    "default-pvid",
    "vlan-stats",
    "linklocal-learn",
    "description",
];

/// `BR_DEFAULT_AGEING_TIME` of the Linux bridge, in seconds.
const DEFAULT_AGEING: u32 = 300;
/// A year and more: what is longer is 0, for ever.
const MAX_AGEING: u32 = 40_000_000;

/// Moves of one address within a second that are no matter for a guard.
const DEFAULT_MOVE_LIMIT: u16 = 5;
/// Seconds for which a guard keeps a port shut.
const DEFAULT_HOLD: u32 = 60;
/// A day.
const MAX_HOLD: u32 = 86_400;
/// The fewest addresses that an FDB may have room for.
const MIN_FDB_SIZE: u32 = 2;

/// What a switch is to be like.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of its own")]
pub struct SwitchSpec {
    /// Lifetime of a learned address after its last frame, in seconds; 0 = for ever.
    pub ageing: u32,
    /// Addresses that the FDB can hold.
    pub fdb_size: u32,
    /// Rows of the port tables; one of them is no port.
    pub port_slots: u32,
    /// See [`vswitch_common::config::SwitchConfig::group_fwd_mask`].
    pub group_fwd_mask: u16,
    /// Whether frames stay within their VLAN.
    pub vlan_filtering: bool,
    /// Whether tags are those of 802.1ad rather than of 802.1Q.
    pub is_8021ad: bool,
    /// The VLAN of untagged frames at a new port; 0 = a new port is in no VLAN.
    pub default_pvid: u16,
    /// Whether frames are counted for each port and VLAN.
    pub vlan_stats: bool,
    /// Whether sources of link-local frames are learned.
    pub linklocal_learn: bool,
    /// What it is for, in the user's words.
    pub description: String,
    /// Moves of one address within a second beyond which a move guard acts.
    pub move_limit: u16,
    /// For how long a guard shuts a port, in seconds; 0 = until the user opens it.
    pub hold: u32,
}

impl Default for SwitchSpec {
    fn default() -> Self {
        Self {
            ageing: DEFAULT_AGEING,
            fdb_size: DEFAULT_FDB_SIZE,
            port_slots: DEFAULT_PORT_SLOTS,
            group_fwd_mask: 0,
            vlan_filtering: false,
            is_8021ad: false,
            default_pvid: 1,
            vlan_stats: false,
            linklocal_learn: true,
            description: String::new(),
            move_limit: DEFAULT_MOVE_LIMIT,
            hold: DEFAULT_HOLD,
        }
    }
}

impl SwitchSpec {
    /// Applies words to a switch that is about to be made.
    pub fn with(mut self, words: &[KeyValue]) -> Result<Self, KeyError> {
        for word in words {
            match word.key.as_str() {
                "fdb-size" => self.fdb_size = word.number(MIN_FDB_SIZE, MAX_FDB_SIZE)?,
                "port-slots" => self.port_slots = word.number(3, MAX_PORT_SLOTS)?,
                _ => self.set(word)?,
            }
        }
        Ok(self)
    }

    /// Applies words to a switch that exists: some keys are fixed.
    pub fn changed(mut self, words: &[KeyValue]) -> Result<Self, KeyError> {
        for word in words {
            match word.key.as_str() {
                "fdb-size" | "port-slots" => {
                    return Err(KeyError::Fixed { key: word.key.clone() });
                }
                _ => self.set(word)?,
            }
        }
        Ok(self)
    }

    fn set(&mut self, word: &KeyValue) -> Result<(), KeyError> {
        match word.key.as_str() {
            "ageing" => self.ageing = word.number(0, MAX_AGEING)?,
            "move-limit" => {
                let limit = word.number(1, u32::from(u16::MAX))?;
                self.move_limit = u16::try_from(limit).unwrap_or(u16::MAX);
            }
            "hold" => self.hold = word.number(0, MAX_HOLD)?,
            "group-fwd-mask" => self.group_fwd_mask = word.mask()?,
            "vlan-filtering" => self.vlan_filtering = word.switch()?,
            "vlan-protocol" => self.is_8021ad = protocol(word)?,
            "default-pvid" => self.default_pvid = default_pvid(word)?,
            "vlan-stats" => self.vlan_stats = word.switch()?,
            "linklocal-learn" => self.linklocal_learn = word.switch()?,
            "description" => self.description = text::description(word)?,
            other => return Err(unknown(other, "switch", &KEYS)),
        }
        Ok(())
    }
}

fn protocol(word: &KeyValue) -> Result<bool, KeyError> {
    match word.value.to_ascii_lowercase().as_str() {
        "802.1q" => Ok(false),
        "802.1ad" => Ok(true),
        _ => Err(word.refuse("`802.1q` or `802.1ad`")),
    }
}

/// The word for a protocol of tags.
pub fn protocol_word(is_8021ad: bool) -> &'static str {
    if is_8021ad { "802.1ad" } else { "802.1q" }
}

fn default_pvid(word: &KeyValue) -> Result<u16, KeyError> {
    match word.value.as_str() {
        "0" | "none" => Ok(0),
        text => vid(text).ok_or_else(|| word.refuse("a VLAN from 1 to 4094, or `none`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(texts: &[&str]) -> Vec<KeyValue> {
        texts.iter().map(|text| text.parse().expect("key=value")).collect()
    }

    #[test]
    fn keys_are_applied_in_order() {
        let spec = SwitchSpec::default().with(&words(&["ageing=10", "ageing=0", "group-fwd-mask=0x4000"]));
        assert_eq!(spec.map(|spec| (spec.ageing, spec.group_fwd_mask)), Ok((0, 0x4000)));
    }

    #[test]
    fn wrong_words_are_refused() {
        for wrong in [
            "ageing=-1",
            "ageing=x",
            "fdb-size=1",
            "port-slots=99999",
            "group-fwd-mask=0x10000",
            "group-fwd-mask=-1",
            "colour=red",
            "vlan-filtering=yes",
            "vlan-protocol=802.1x",
            "default-pvid=4095",
            "move-limit=0",
            "move-limit=65536",
            "hold=-1",
            "hold=86401",
        ] {
            assert!(SwitchSpec::default().with(&words(&[wrong])).is_err(), "{wrong}");
        }
        assert_eq!(
            SwitchSpec::default().changed(&words(&["fdb-size=64"])),
            Err(KeyError::Fixed { key: "fdb-size".to_owned() })
        );
    }
}

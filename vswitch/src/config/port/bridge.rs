//! The keys of a port that stand beside those that are on or off, and that the Linux bridge has as well.

use crate::{
    config::keys::{KeyError, KeyValue},
    name::IfName,
};

/// The keys in the order in which they are shown.
pub const KEYS: [&str; 2] = ["backup-port", "group-fwd-mask"];

/// What takes over for a port whose device is down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Backup {
    /// Nothing does.
    None,
    /// This port.
    Port(IfName),
}

/// What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BridgeOptions {
    /// What takes over while the port's device is down.
    pub backup: Option<Backup>,
    /// See [`vswitch_common::port::PortConfig::group_fwd_mask`].
    pub group_fwd_mask: Option<u16>,
}

impl BridgeOptions {
    /// Applies a word; whether it was one of these keys.
    pub fn set(&mut self, word: &KeyValue) -> Result<bool, KeyError> {
        match word.key.as_str() {
            "backup-port" => self.backup = Some(backup(word)?),
            "group-fwd-mask" => self.group_fwd_mask = Some(word.mask()?),
            _ => return Ok(false),
        }
        Ok(true)
    }
}

fn backup(word: &KeyValue) -> Result<Backup, KeyError> {
    if word.value == "none" {
        return Ok(Backup::None);
    }
    let refused = |_| word.refuse("the name of a port of the same switch, or `none`");
    word.value.parse().map(Backup::Port).map_err(refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_counts() {
        let mut options = BridgeOptions::default();
        for text in ["backup-port=up1", "group-fwd-mask=0x7"] {
            assert_eq!(options.set(&text.parse().expect("key=value")), Ok(true));
        }
        assert_eq!(options.backup, Some(Backup::Port("up1".parse().expect("name"))));
        assert_eq!(options.group_fwd_mask, Some(7));
        assert_eq!(options.set(&"backup-port=none".parse().expect("key=value")), Ok(true));
        assert_eq!(options.backup, Some(Backup::None));
        assert_eq!(options.set(&"flood=on".parse().expect("key=value")), Ok(false));
        for wrong in ["backup-port=", "backup-port=a/b", "group-fwd-mask=x"] {
            assert!(options.set(&wrong.parse().expect("key=value")).is_err(), "{wrong}");
        }
    }
}

//! The keys of a port that bound and guard what is learned behind it.

use vswitch_common::port::MoveGuard;

use crate::config::keys::{KeyError, KeyValue};

/// The keys, in the order in which they are shown.
pub const KEYS: [&str; 2] = ["max-macs", "move-guard"];

/// More addresses than any FDB holds.
const MOST_MACS: u32 = 4_194_304;

/// What is to be like. What is `None` stays as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guards {
    /// Addresses that may be learned behind the port; 0 = no limit of its own.
    pub max_macs: Option<u32>,
    /// What happens when addresses move to the port too often.
    pub move_guard: Option<MoveGuard>,
}

impl Guards {
    /// Takes a word, if it is one of [`KEYS`].
    pub fn set(&mut self, word: &KeyValue) -> Option<Result<(), KeyError>> {
        match word.key.as_str() {
            "max-macs" => Some(max_macs(word).map(|limit| self.max_macs = Some(limit))),
            "move-guard" => Some(move_guard(word).map(|guard| self.move_guard = Some(guard))),
            _ => None,
        }
    }
}

fn max_macs(word: &KeyValue) -> Result<u32, KeyError> {
    if word.value == "none" {
        return Ok(0);
    }
    word.number(0, MOST_MACS)
        .map_err(|_| word.refuse(format!("a whole number from 1 to {MOST_MACS}, or `none`")))
}

fn move_guard(word: &KeyValue) -> Result<MoveGuard, KeyError> {
    match word.value.as_str() {
        "off" => Ok(MoveGuard::Off),
        "log" => Ok(MoveGuard::Log),
        "hold" => Ok(MoveGuard::Hold),
        "shut" => Ok(MoveGuard::Shut),
        _ => Err(word.refuse("`off`, `log`, `hold` or `shut`")),
    }
}

/// The word for what a move guard does.
pub fn move_guard_word(guard: MoveGuard) -> &'static str {
    match guard {
        MoveGuard::Off => "off",
        MoveGuard::Log => "log",
        MoveGuard::Hold => "hold",
        MoveGuard::Shut => "shut",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Result<Guards, KeyError>> {
        let mut guards = Guards::default();
        guards.set(&text.parse().expect("key=value")).map(|result| result.map(|()| guards))
    }

    #[test]
    fn words_become_values() {
        let limit = |text| parse(text).expect("a key").map(|guards| guards.max_macs);
        assert_eq!(limit("max-macs=3"), Ok(Some(3)));
        assert_eq!((limit("max-macs=none"), limit("max-macs=0")), (Ok(Some(0)), Ok(Some(0))));
        for guard in [MoveGuard::Off, MoveGuard::Log, MoveGuard::Hold, MoveGuard::Shut] {
            let word = format!("move-guard={}", move_guard_word(guard));
            assert_eq!(parse(&word).expect("a key").map(|guards| guards.move_guard), Ok(Some(guard)));
        }
        assert_eq!(parse("flood=on"), None);
    }

    #[test]
    fn wrong_words_are_refused() {
        for wrong in ["max-macs=-1", "max-macs=many", "max-macs=99999999", "move-guard=on", "move-guard="] {
            assert!(parse(wrong).expect("a key").is_err(), "{wrong}");
        }
    }
}

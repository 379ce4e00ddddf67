//! Rules of an access control list: text to [`AclSpec`] and back, and what a list becomes for the program.

pub mod compile;
mod words;

use thiserror::Error;
use vswitch_common::acl::{ACL_KEYS_MAX, ACL_MASKS_MAX, ACL_RULES_MAX, AclSpec, COUNT_MASKS_MAX, Direction};

pub use self::words::text;
use crate::name::IfName;

/// What a rule does with the frames that it matches; the byte in [`AclSpec::action`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// They pass, and no later rule is looked at.
    Allow = 0,
    /// They are dropped.
    Deny = 1,
    /// They are counted, and later rules decide.
    Count = 2,
}

impl Action {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Count => "count",
        }
    }

    /// From the byte in the map.
    pub const fn from_u8(value: u8) -> Self {
        match value {
            0 => Self::Allow,
            1 => Self::Deny,
            _ => Self::Count,
        }
    }
}

/// A rule as it was written. The port is a name, so the slot in `spec` is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The port; all if `None`.
    pub port: Option<IfName>,
    /// Everything else.
    pub spec: AclSpec,
}

/// What is wrong with a rule or a list of them.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AclError {
    /// No action.
    #[error("`{0}` is no action; begin a rule with `allow`, `deny` or `count`")]
    Action(String),
    /// An unknown word.
    #[error(
        "`{0}` is no word of a rule; the words are `any`, `src-mac`, `dst-mac`, `vlan`, `ethertype`, `src`, `dst`, \
         `proto`, `sport`, `dport`, `flags`, `frag` and `log`"
    )]
    Word(String),
    /// A word needs a value.
    #[error("`{word}` has no value; use {allowed}")]
    Missing {
        /// The word.
        word: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A value does not fit its word.
    #[error("value `{value}` of `{word}` is not allowed; use {allowed}")]
    Value {
        /// The word.
        word: String,
        /// The value.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A word is there twice.
    #[error("`{0}` is there twice; write two rules")]
    Twice(String),
    /// No frame can match.
    #[error("no frame is like this: {0}")]
    Never(&'static str),
    /// A line of a file.
    #[error("line {line}: {error}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        error: Box<AclError>,
    },
    /// Too many rules.
    #[error("{0} rules are too many; a switch takes {ACL_RULES_MAX}")]
    Rules(usize),
    /// Too many keys.
    #[error(
        "the rules need {0} keys, and a switch takes {ACL_KEYS_MAX}; use fewer or rounder ranges of ports, such as \
         1024-2047"
    )]
    Keys(usize),
    /// Too many masks.
    #[error(
        "the rules look at {0} different sets of bits, and a switch takes {max}; use fewer prefix lengths, or rounder \
         ranges of ports, such as 1024-2047",
        max = ACL_MASKS_MAX - 1
    )]
    Masks(usize),
    /// Too many masks of rules that count.
    #[error(
        "the rules with `count` look at {0} different sets of bits, and a switch takes {COUNT_MASKS_MAX}; use `allow` \
         where nothing else decides, which counts as well"
    )]
    Counts(usize),
    /// Two rules that count the same.
    #[error(
        "rule {second} counts frames that rule {first} counts as well, in the same way; leave one of them out"
    )]
    SameCount {
        /// The earlier rule.
        first: usize,
        /// The later rule.
        second: usize,
    },
}

/// Reads a list: one rule a line; empty lines, and what is behind a `#`, do not count.
pub fn parse_list(text: &str) -> Result<Vec<(usize, Rule)>, AclError> {
    let mut rules = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line_number = index + 1;
        let words: Vec<&str> = line.split('#').next().unwrap_or("").split_whitespace().collect();
        if words.is_empty() {
            continue;
        }
        let rule = Rule::parse(&words).map_err(|error| error.at(line_number))?;
        rules.push((line_number, rule));
    }
    Ok(rules)
}

impl AclError {
    /// The error, with the line that it is in.
    #[must_use]
    pub fn at(self, line: usize) -> Self {
        Self::Line { line, error: Box::new(self) }
    }
}

/// The direction of a rule.
pub fn direction(spec: &AclSpec) -> Direction {
    Direction::from_u8(spec.direction)
}

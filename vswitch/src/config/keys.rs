//! `key=value` words.

use std::str::FromStr;

use thiserror::Error;

/// What is wrong with a word.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// There is no equals sign.
    #[error("`{0}` is not of the form key=value; write for instance `ageing=300`")]
    Form(String),
    /// There is no such key.
    #[error("unknown key `{key}` of a {of}; the keys are {known}")]
    Unknown {
        /// The key.
        key: String,
        /// What was to be changed.
        of: &'static str,
        /// The keys that there are.
        known: String,
    },
    /// The value does not fit the key.
    #[error("value `{value}` of `{key}` is not allowed; use {allowed}")]
    Value {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What is allowed.
        allowed: String,
    },
    /// The words do not go together; all of the message.
    #[error("{0}")]
    Contradiction(String),
    /// The key cannot be changed any more.
    #[error(
        "`{key}` is fixed when a switch is made; make another switch with `vswitch switch add NAME {key}=...`"
    )]
    Fixed {
        /// The key.
        key: String,
    },
}

/// A word of the form `key=value`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyValue {
    /// What is before the first equals sign.
    pub key: String,
    /// What is after it.
    pub value: String,
}

impl FromStr for KeyValue {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => {
                Ok(Self { key: key.to_owned(), value: value.to_owned() })
            }
            _ => Err(KeyError::Form(text.to_owned())),
        }
    }
}

impl KeyValue {
    /// A value error for this word.
    pub fn refuse(&self, allowed: impl Into<String>) -> KeyError {
        KeyError::Value { key: self.key.clone(), value: self.value.clone(), allowed: allowed.into() }
    }

    /// `on` or `off`.
    pub fn switch(&self) -> Result<bool, KeyError> {
        match self.value.as_str() {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err(self.refuse("`on` or `off`")),
        }
    }

    /// A set of 16 bits.
    pub fn mask(&self) -> Result<u16, KeyError> {
        let digits = self.value.strip_prefix("0x");
        digits
            .map_or_else(|| self.value.parse(), |digits| u16::from_str_radix(digits, 16))
            .map_err(|_| self.refuse("a number from 0 to 65535, or from 0x0 to 0xffff"))
    }

    /// A whole number from `min` to `max`.
    pub fn number(&self, min: u32, max: u32) -> Result<u32, KeyError> {
        match self.value.parse::<u32>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(self.refuse(format!("a whole number from {min} to {max}"))),
        }
    }
}

/// The word for a key that is on or off, as [`KeyValue::switch`] reads it.
pub const fn on(is_on: bool) -> &'static str {
    if is_on { "on" } else { "off" }
}

/// An unknown-key error that lists the known ones.
pub fn unknown(key: &str, of: &'static str, known: &[&str]) -> KeyError {
    let known = known.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    KeyError::Unknown { key: key.to_owned(), of, known }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_need_a_key() {
        assert_eq!("=x".parse::<KeyValue>(), Err(KeyError::Form("=x".to_owned())));
        assert_eq!("x".parse::<KeyValue>(), Err(KeyError::Form("x".to_owned())));
        assert_eq!(
            "a=b=c".parse::<KeyValue>(),
            Ok(KeyValue { key: "a".to_owned(), value: "b=c".to_owned() })
        );
    }

    #[test]
    fn masks_have_sixteen_bits() {
        let mask = |value: &str| KeyValue { key: "k".to_owned(), value: value.to_owned() }.mask();
        assert_eq!((mask("7"), mask("0x4000"), mask("65535")), (Ok(7), Ok(0x4000), Ok(u16::MAX)));
        for wrong in ["", "0x", "-1", "65536", "0x10000", "lacp"] {
            assert!(mask(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn numbers_stay_in_range(text in "\\PC*", min in 0u32..10, span in 0u32..10) {
            let word = KeyValue { key: "k".to_owned(), value: text };
            if let Ok(number) = word.number(min, min + span) {
                prop_assert!((min..=min + span).contains(&number));
            }
        }
    }
}

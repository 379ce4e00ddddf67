//! Names of interfaces, namespaces and switches, legal by construction.

use std::{fmt, str::FromStr};

use serde::Serialize;
use thiserror::Error;

/// Why a text is not a name.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum NameError {
    /// Nothing was given.
    #[error("the {what} name is empty; give it at least one character")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// Longer than the kernel or the state directory allows.
    #[error("{what} name `{name}` has {len} bytes; use at most {max}")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// The text.
        name: String,
        /// Its length in bytes.
        len: usize,
        /// The most that is allowed.
        max: usize,
    },
    /// A character that the kernel refuses or that would leave the directory.
    #[error("{what} name `{name}` has a forbidden {found}; {remedy}")]
    Forbidden {
        /// What was to be named.
        what: &'static str,
        /// The text.
        name: String,
        /// What is wrong with it.
        found: &'static str,
        /// What to write instead.
        remedy: &'static str,
    },
}

fn check_length(what: &'static str, name: &str, max: usize) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty { what });
    }
    if name.len() > max {
        return Err(NameError::TooLong { what, name: name.to_owned(), len: name.len(), max });
    }
    Ok(())
}

macro_rules! name_type {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $type(String);

        impl $type {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }
    };
}

name_type! {
    /// Name of a network interface: 1 to 15 bytes, as `dev_valid_name` in Linux.
    IfName
}

name_type! {
    /// Name of a network namespace: the name of a file in `/run/netns`.
    NsName
}

name_type! {
    /// Name of a switch: the name of a directory in bpffs, which allows no dots.
    SwitchName
}

name_type! {
    /// Name of a mirror session: 15 bytes of its row.
    MirrorName
}

impl FromStr for IfName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let what = "interface";
        check_length(what, name, 15)?;
        let forbidden = |found, remedy| NameError::Forbidden { what, name: name.to_owned(), found, remedy };
        if name == "." || name == ".." {
            return Err(forbidden("form", "`.` and `..` are directories"));
        }
        for character in name.chars() {
            match character {
                '/' => return Err(forbidden("slash", "leave it out")),
                ':' => return Err(forbidden("colon", "leave it out")),
                '%' => return Err(forbidden("percent sign", "leave it out")),
                c if c.is_whitespace() || c.is_control() => {
                    return Err(forbidden("space or control character", "leave it out"));
                }
                _ => {}
            }
        }
        Ok(Self(name.to_owned()))
    }
}

impl FromStr for NsName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        let what = "namespace";
        // A record of a port keeps 64 bytes of it, the last one zero.
        check_length(what, name, 63)?;
        let forbidden = |found, remedy| NameError::Forbidden { what, name: name.to_owned(), found, remedy };
        if name == "." || name == ".." {
            return Err(forbidden("form", "`.` and `..` are directories"));
        }
        if name.contains('/') {
            return Err(forbidden("slash", "it is the name of a file in /run/netns"));
        }
        if name.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return Err(forbidden("space or control character", "leave it out"));
        }
        Ok(Self(name.to_owned()))
    }
}

/// A name of ours: letters, digits and two signs.
fn check_own(what: &'static str, name: &str, max: usize) -> Result<String, NameError> {
    check_length(what, name, max)?;
    if name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
        Ok(name.to_owned())
    } else {
        Err(NameError::Forbidden {
            what,
            name: name.to_owned(),
            found: "character",
            remedy: "use letters, digits, `-` and `_`",
        })
    }
}

impl FromStr for SwitchName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        check_own("switch", name, 32).map(Self)
    }
}

impl FromStr for MirrorName {
    type Err = NameError;

    fn from_str(name: &str) -> Result<Self, NameError> {
        check_own("mirror session", name, 15).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn interface_names_follow_the_kernel() {
        for good in ["a", "eth0", "veth.100", "abcdefghijklmno", "ä"] {
            assert!(good.parse::<IfName>().is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a:b", "a b", "a\tb", "abcdefghijklmnop", "eth%d"] {
            assert!(bad.parse::<IfName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn messages_have_the_value_the_cause_and_the_remedy() {
        let error = "abcdefghijklmnop".parse::<IfName>().expect_err("16 bytes");
        assert_eq!(error.to_string(), "interface name `abcdefghijklmnop` has 16 bytes; use at most 15");
        let error = "a/b".parse::<NsName>().expect_err("slash");
        assert_eq!(
            error.to_string(),
            "namespace name `a/b` has a forbidden slash; it is the name of a file in /run/netns"
        );
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_directory(text in "\\PC*") {
            if let Ok(name) = text.parse::<NsName>() {
                prop_assert!(!name.as_str().contains('/') && name.as_str() != "..");
            }
            if let Ok(name) = text.parse::<SwitchName>() {
                prop_assert!(!name.as_str().contains('/') && !name.as_str().contains('.'));
            }
        }
    }
}

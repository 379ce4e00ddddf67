//! Free text that the user attaches to something.

use vswitch_common::record::Note;

use super::keys::{KeyError, KeyValue};

/// A description: one printable line, or nothing.
pub fn description(word: &KeyValue) -> Result<String, KeyError> {
    if word.value.len() > Note::MAX_LEN || word.value.chars().any(char::is_control) {
        return Err(word.refuse(format!("one line of at most {} bytes", Note::MAX_LEN)));
    }
    Ok(word.value.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_are_one_line() {
        let word = |value: &str| KeyValue { key: "description".to_owned(), value: value.to_owned() };
        assert_eq!(description(&word("to the roof")).as_deref(), Ok("to the roof"));
        assert_eq!(description(&word("")).as_deref(), Ok(""));
        assert!(description(&word("a\nb")).is_err() && description(&word(&"x".repeat(121))).is_err());
    }
}

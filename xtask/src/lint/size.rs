//! A file that has grown too long holds two things.

use super::{Finding, source::Source};

/// Lines of a source file, its tests included.
const MOST_LINES: usize = 500;

/// Checks one source.
pub fn check(source: &Source) -> impl Iterator<Item = Finding> {
    let lines = source.text.lines().count();
    (lines > MOST_LINES)
        .then(|| Finding {
            path: source.path.clone(),
            line: lines,
            text: format!("{lines} lines are more than {MOST_LINES}; name the second concept and move it"),
        })
        .into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_more_is_too_many() {
        assert_eq!(check(&Source::new("a.rs", "\n".repeat(MOST_LINES))).count(), 0);
        assert_eq!(check(&Source::new("a.rs", "\n".repeat(MOST_LINES + 1))).count(), 1);
    }
}

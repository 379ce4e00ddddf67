//! Adding up the `test result:` lines of `cargo test`.

use std::fmt;

/// How many tests did what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Tests that passed.
    pub passed: u64,
    /// Tests that failed, and test programs that died without a result.
    pub failed: u64,
    /// Tests that were ignored.
    pub skipped: u64,
}

impl Counts {
    /// Adds a line when it is a result.
    pub fn add(&mut self, line: &str) {
        // The word of the first part is behind the verdict: `ok. 3 passed`.
        let Some(result) = line.trim().strip_prefix("test result:") else {
            return;
        };
        for part in result.split(';') {
            let mut words = part.split_whitespace().rev();
            let (Some(word), Some(number)) = (words.next(), words.next()) else {
                continue;
            };
            let Ok(number) = number.parse::<u64>() else {
                continue;
            };
            match word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.skipped += number,
                _ => {}
            }
        }
    }

    /// True when something ran and nothing failed.
    pub fn good(&self) -> bool {
        self.failed == 0 && self.passed > 0
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sum(text: &str) -> Counts {
        let mut counts = Counts::default();
        text.lines().for_each(|line| counts.add(line));
        counts
    }

    #[test]
    fn results_add_up() {
        let counts = sum("running 4 tests\ntest a ... ok\n\
             test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s\n\
             test result: FAILED. 5 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.23s\n");
        assert_eq!(counts, Counts { passed: 8, failed: 2, skipped: 1 });
        assert_eq!(counts.to_string(), "8 passed, 2 failed, 1 skipped");
        assert!(!counts.good());
    }

    #[test]
    fn nothing_run_is_not_good() {
        assert!(!sum("error: could not compile\n").good());
        assert!(sum("test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out").good());
    }
}

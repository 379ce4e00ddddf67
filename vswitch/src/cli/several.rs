//! Doing a thing to several objects: all are tried, and every failure is told.

use anyhow::{Result, anyhow};

/// The values of all results, or one line for each error.
pub(crate) fn all<T, E: Into<anyhow::Error>>(
    results: impl IntoIterator<Item = Result<T, E>>,
) -> Result<Vec<T>> {
    let mut values = Vec::new();
    let mut failures = Vec::new();
    for result in results {
        match result {
            Ok(value) => values.push(value),
            Err(error) => failures.push(format!("{:#}", error.into())),
        }
    }
    if failures.is_empty() { Ok(values) } else { Err(anyhow!("{}", failures.join("\n"))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_is_told() {
        let results = [Ok(1), Err(anyhow!("a")), Ok(2), Err(anyhow!("b"))];
        assert_eq!(all(results).expect_err("two failed").to_string(), "a\nb");
        assert_eq!(all([Ok::<_, anyhow::Error>(1), Ok(2)]).expect("none failed"), [1, 2]);
    }
}

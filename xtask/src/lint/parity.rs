//! A table that promises tests which do not exist promises nothing.

use super::{Finding, source::Source};

/// Where the table is.
pub const TABLE: &str = "docs/bridge-parity.md";
/// What may be missing: the words that one of these reasons must contain.
const NOT_YET: [&str; 6] = ["spanning tree", "snooping", "MDB", "MRP", "CFM", "hardware offload"];

/// Checks each row of the table: option, key, verdict, tests or reason.
pub fn check(sources: &[Source], table: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut rows = 0;
    for (at, line) in table.lines().enumerate() {
        let Some([option, _, verdict, because]) = cells(line) else { continue };
        if verdict.is_empty() || verdict.starts_with('-') {
            continue;
        }
        rows += 1;
        let mut complain = |text: String| {
            findings.push(Finding { path: TABLE.to_owned(), line: at + 1, text });
        };
        let tests = tests(because);
        for (file, function) in &tests {
            if !exists(sources, file, function) {
                complain(format!("`{file}::{function}` is no test; correct the name in the row of {option}"));
            }
        }
        match verdict {
            "same" if tests.is_empty() => {
                complain(format!("{option} is said to be the same, and no test shows it; name one"));
            }
            "different" if because.is_empty() => complain(format!("{option} is different; say why")),
            "not yet" if !NOT_YET.iter().any(|reason| because.contains(reason)) => {
                complain(format!("{option} may not be missing: `{because}` is none of {NOT_YET:?}"));
            }
            "same" | "different" | "not yet" => {}
            other => complain(format!("`{other}` is no verdict; say same, different or not yet")),
        }
    }
    if rows == 0 {
        findings.push(Finding {
            path: TABLE.to_owned(),
            line: 1,
            text: "lint finds no rows; correct how it reads them".to_owned(),
        });
    }
    findings
}

/// The four cells of a row; a `|` that belongs to a cell has a backslash before it.
fn cells(line: &str) -> Option<[&str; 4]> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let (mut cells, mut start) = (Vec::new(), 0);
    for (at, _) in inner.match_indices('|').filter(|(at, _)| !inner[..*at].ends_with('\\')) {
        cells.push(inner[start..at].trim());
        start = at + 1;
    }
    cells.push(inner[start..].trim());
    cells.try_into().ok()
}

/// What is written as `file::function`.
fn tests(cell: &str) -> Vec<(&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect()
}

fn exists(sources: &[Source], file: &str, function: &str) -> bool {
    let path = format!("tests/tests/{file}.rs");
    let source = sources.iter().find(|source| source.path == path);
    source.is_some_and(|source| {
        source.idents().iter().any(|ident| {
            ident.name == function
                && ident.before.trim_end().ends_with("fn")
                && ident.after.trim_start().starts_with('(')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(row: &str) -> Vec<String> {
        let sources = [Source::new("tests/tests/flags.rs", "fn learning(kind: Kind) {}\nfn lan() {}\n")];
        let table = format!("| option | here | | shown by |\n|---|---|---|---|\n{row}\n");
        check(&sources, &table).into_iter().map(|finding| finding.text).collect()
    }

    #[test]
    fn each_named_test_exists() {
        assert!(findings("| `learning` | `learning` | same | `flags::learning` |").is_empty());
        for wrong in
            ["`flags::lerning`", "`flag::learning`", "`flags::learning`, `flags::flood`", "certainly"]
        {
            assert_eq!(findings(&format!("| `x` | | same | {wrong} |")).len(), 1, "{wrong}");
        }
    }

    #[test]
    fn what_is_missing_has_a_reason() {
        assert!(findings("| `cost` | | not yet | spanning tree |").is_empty());
        assert!(findings("| `x` | `a\\|b` | different | on purpose |").is_empty());
        assert_eq!(findings("| `x` | | not yet | no time |").len(), 1);
        assert_eq!(findings("| `x` | | different | |").len(), 1);
        assert_eq!(findings("| `x` | | perhaps | |").len(), 1);
        assert_eq!(findings("").len(), 1, "a table without rows is no table");
    }
}

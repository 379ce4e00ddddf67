//! A drop reason that the program never gives is a lie in the counters.

use super::{
    Finding, is_in,
    source::{Ident, Source},
};

const REASONS: &str = "vswitch-common/src/drop.rs";
const PROGRAM: &str = "vswitch-ebpf/src";

/// Checks that every reason of the contract is used by the program.
pub fn check(sources: &[Source]) -> Vec<Finding> {
    let Some(contract) = sources.iter().find(|source| source.path == REASONS) else {
        return vec![finding(
            1,
            "the drop reasons are not where lint looks for them; correct `REASONS`".to_owned(),
        )];
    };
    let reasons = reasons(contract);
    if reasons.is_empty() {
        return vec![finding(1, "lint finds no drop reasons; correct how it reads them".to_owned())];
    }
    reasons
        .into_iter()
        .filter(|reason| {
            !sources.iter().any(|source| is_in(&source.path, PROGRAM) && uses(source, reason.name))
        })
        .map(|reason| {
            finding(
                reason.line,
                format!("`{PROGRAM}` never drops for `{}`; use the reason or remove it", reason.name),
            )
        })
        .collect()
}

fn finding(line: usize, text: String) -> Finding {
    Finding { path: REASONS.to_owned(), line, text }
}

/// The entries of the `reasons!` table: `Runt = 0, "runt", "..."`.
fn reasons(contract: &Source) -> Vec<Ident<'_>> {
    let is_entry = |ident: &Ident<'_>| {
        let number = ident.after.trim_start().strip_prefix('=').map(str::trim_start);
        ident.name.starts_with(|c: char| c.is_ascii_uppercase())
            && number.is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
            && ident.before.trim_end().ends_with(['{', ';'])
    };
    contract.idents().into_iter().filter(is_entry).collect()
}

/// Code for tests does not count.
fn uses(source: &Source, reason: &str) -> bool {
    let tests = source.code.find("#[cfg(test)]").unwrap_or(source.code.len());
    source.idents().iter().any(|ident| {
        ident.name == reason
            && ident.before.len() < tests
            && ident.before.trim_end().ends_with("DropReason::")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unused(program: &str) -> Vec<Finding> {
        let table =
            "reasons! {\n    Runt = 0, \"runt\", \"short\";\n    Locked = 1, \"locked\", \"locked\";\n}\n";
        check(&[Source::new(REASONS, table), Source::new("vswitch-ebpf/src/parse.rs", program)])
    }

    #[test]
    fn every_reason_is_used() {
        assert!(unused("DropReason::Runt; DropReason::Locked").is_empty());
        let findings =
            unused("DropReason::Locked; // DropReason::Runt\n#[cfg(test)]\nmod t { DropReason::Runt }");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].text.contains("`Runt`") && findings[0].line == 2, "{findings:?}");
    }

    #[test]
    fn an_unreadable_table_is_not_a_clean_one() {
        assert_eq!(check(&[Source::new(REASONS, "enum DropReason {}")]).len(), 1);
        assert_eq!(check(&[]).len(), 1);
    }
}

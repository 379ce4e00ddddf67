//! `cargo xtask lint`: the tools of the language, then the rules of this project.
//!
//! The rules are pure functions from source text to findings, so that their tests can show that they fail.

use std::{fmt, fs, path::Path, process::ExitCode};

use anyhow::{Context, Result};

use crate::{command::step, workspace::Workspace};

mod drops;
mod imports;
mod parity;
mod size;
mod source;
mod tools;
mod words;

use source::Source;

/// One broken rule.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.text)
    }
}

/// The task. Everything is checked before it ends, so that one run shows all that is wrong.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    step("Checking", "rules (imports, printing, file sizes, drop reasons, bridge parity)");
    let findings = rules(&source::read_all(&workspace.root)?, &parity_table(workspace)?);
    for finding in &findings {
        eprintln!("{finding}");
    }
    let failed: Vec<String> = tools::run(workspace)
        .into_iter()
        .chain((!findings.is_empty()).then(|| format!("{} broken rules", findings.len())))
        .collect();
    if failed.is_empty() {
        step("Clean", "nothing to complain about");
        return Ok(ExitCode::SUCCESS);
    }
    eprintln!("xtask: lint failed: {}", failed.join(", "));
    Ok(ExitCode::FAILURE)
}

fn parity_table(workspace: &Workspace) -> Result<String> {
    fs::read_to_string(workspace.root.join(parity::TABLE))
        .with_context(|| format!("cannot read {}", parity::TABLE))
}

fn rules(sources: &[Source], parity_table: &str) -> Vec<Finding> {
    let mut findings: Vec<Finding> = sources
        .iter()
        .flat_map(|source| imports::check(source).chain(words::check(source)).chain(size::check(source)))
        .collect();
    findings.extend(drops::check(sources));
    findings.extend(parity::check(sources, parity_table));
    findings
}

/// True when a path of the workspace is inside a directory of it.
fn is_in(path: &str, dir: &str) -> bool {
    Path::new(path).starts_with(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_workspace_keeps_its_rules() {
        let workspace = Workspace::load().unwrap();
        let sources = source::read_all(&workspace.root).unwrap();
        assert!(sources.len() > 20, "only {} sources were found", sources.len());
        let table = parity_table(&workspace).unwrap();
        let found: Vec<String> = rules(&sources, &table).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

//! `cargo xtask ci`: exactly what `.ci/run` runs.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::workspace::Workspace;

/// The task. A failed lint does not keep the tests from running, and does not pass either.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let script = workspace.root.join(".ci/run");
    let status =
        Command::new(&script).status().with_context(|| format!("{} did not start", script.display()))?;
    Ok(if status.success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

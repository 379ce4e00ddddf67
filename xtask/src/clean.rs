//! `cargo xtask clean`: removes what was built.

use std::{fs, io::ErrorKind, process::ExitCode};

use anyhow::{Context, Result};

use crate::{
    command::{Cargo, step},
    workspace::Workspace,
};

/// Options of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Remove the tools that `setup` installed as well
    #[arg(long)]
    tools: bool,
}

/// The task.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    if args.tools {
        Cargo::host().args(["clean"]).run()?;
        return Ok(ExitCode::SUCCESS);
    }
    for profile in ["dev", "release"] {
        Cargo::host().args(["clean", "--profile", profile]).run()?;
    }
    for dir in ["bpf", "bpf-lint"].map(|name| workspace.target.join(name)) {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", dir.display()));
            }
            _ => {}
        }
    }
    step("Kept", &format!("{} (`cargo xtask clean --tools` removes it)", workspace.tools().display()));
    Ok(ExitCode::SUCCESS)
}

//! `cargo xtask demo`: from a fresh clone to a switch at work.

use std::{
    os::unix::process::CommandExt,
    process::{Command, ExitCode},
};

use anyhow::{Result, anyhow};

use crate::{build, command::step, privilege, setup, workspace::Workspace};

/// Options of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Build the switch on this host instead of in namespaces of its own, and leave it up
    #[arg(long)]
    keep: bool,
}

/// The task. The demo takes this process over, so that Ctrl-C reaches it and its exit code is ours.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    privilege::require_root("demo", "makes network namespaces and loads BPF programs, so it needs root")?;
    setup::ensure_iproute()?;
    step("Building", "the BPF object");
    build::object(workspace)?;
    step("Building", "the vswitch command and the demo, optimised (a few minutes the first time)");
    build::host(workspace, true, &["--package=vswitch", "--package=vswitch-tests", "--bins"])?;

    let mut demo = Command::new(workspace.binary(true, "demo"));
    demo.env("VSWITCH_BIN", workspace.binary(true, "vswitch")).env_remove("LD_LIBRARY_PATH");
    if args.keep {
        demo.arg("--keep");
    }
    step("Running", &demo.get_program().display().to_string());
    Err(anyhow!(demo.exec()).context("the demo did not start"))
}

//! `cargo xtask test`: every test of the workspace, counted.

use std::{
    io::{BufRead, BufReader, Write},
    process::{ExitCode, Stdio},
};

use anyhow::{Context, Result};

use crate::{
    build,
    command::{Cargo, step},
    counts::Counts,
    privilege, setup,
    workspace::Workspace,
};

/// Options of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Test the optimised build
    #[arg(long)]
    release: bool,
    /// Run only the tests whose names contain one of these
    filter: Vec<String>,
}

/// The task. Its last line is the counts, whatever happened before.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    privilege::require_root("test", "makes network namespaces and loads BPF programs, so it needs root")?;
    let counts = tests(workspace, args).unwrap_or_else(|error| {
        eprintln!("xtask: {error:#}");
        Counts { failed: 1, ..Counts::default() }
    });
    if counts == Counts::default() {
        eprintln!("xtask: no test ran");
    }
    println!("{counts}");
    Ok(if counts.good() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn tests(workspace: &Workspace, args: &Args) -> Result<Counts> {
    setup::ensure_iproute()?;
    build::object(workspace)?;
    step("Building", "the vswitch command for the end-to-end tests");
    build::host(workspace, args.release, &["--package=vswitch"])?;

    let profile: &[&str] = if args.release { &["--release"] } else { &[] };
    let mut command = Cargo::host()
        .args(["test", "--workspace", "--no-fail-fast", "--manifest-path"])
        .args([workspace.root.join("Cargo.toml")])
        .args(profile)
        .args(["--"])
        .args(&args.filter)
        .env("VSWITCH_BIN", workspace.binary(args.release, "vswitch"))
        .command();
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cargo did not start")?;

    let mut counts = Counts::default();
    let mut out = std::io::stdout().lock();
    let lines = BufReader::new(child.stdout.take().context("cargo has no output")?);
    for line in lines.split(b'\n') {
        let line = line.context("the output of `cargo test` cannot be read")?;
        let line = String::from_utf8_lossy(&line);
        writeln!(out, "{line}")?;
        counts.add(&line);
    }
    let status = child.wait()?;
    if !status.success() && counts.failed == 0 {
        eprintln!("xtask: `cargo test` ended with {status}, so a test program did not compile or died");
        counts.failed = 1;
    }
    Ok(counts)
}

//! The tools of the language: rustfmt, clippy for both machines, cargo-deny.

use anyhow::{Context, Result};

use crate::{
    build,
    command::{self, Cargo, step},
    setup::Toolchain,
    workspace::Workspace,
};

/// Runs them all and returns the names of those that failed.
pub fn run(workspace: &Workspace) -> Vec<String> {
    let mut failed = Vec::new();
    let mut note = |name: &str, result: Result<()>| {
        if let Err(error) = result {
            eprintln!("xtask: {error:#}");
            failed.push(name.to_owned());
        }
    };
    note("components", components());
    note("fmt", fmt());
    // The host crates embed the object, so without it there is nothing to check.
    match build::object(workspace) {
        Ok(toolchain) => {
            note("clippy for BPF", bpf(workspace, &toolchain));
            note("clippy", clippy());
        }
        Err(error) => note("BPF build", Err(error)),
    }
    note("deny", deny());
    failed
}

/// A minimal rustup profile has neither rustfmt nor clippy.
fn components() -> Result<()> {
    for (tool, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        if command::capture(Cargo::host().args([tool, "--version"]).command()).is_err() {
            step("Installing", &format!("{component} (lint needs it)"));
            let mut rustup = std::process::Command::new("rustup");
            rustup.args(["component", "add", component]);
            command::run(rustup).with_context(|| {
                format!("`cargo {tool}` is missing; install it, for example with `rustup component add {component}`")
            })?;
        }
    }
    Ok(())
}

fn fmt() -> Result<()> {
    step("Checking", "format");
    Cargo::host().args(["fmt", "--all", "--check"]).run()
}

fn clippy() -> Result<()> {
    step("Checking", "clippy, all targets");
    Cargo::host().args(["clippy", "--workspace", "--all-targets", "--quiet", "--", "--deny=warnings"]).run()
}

/// Debian's compiler comes without clippy; there the compiler's own warnings count.
fn bpf(workspace: &Workspace, toolchain: &Toolchain) -> Result<()> {
    let subcommand = if toolchain.route.has_clippy() { "clippy" } else { "check" };
    step("Checking", &format!("the BPF program with `cargo {subcommand}`"));
    build::bpf_cargo(workspace, toolchain, subcommand, "bpf-lint", &["--deny=warnings"])
}

fn deny() -> Result<()> {
    if command::ask("cargo", &["deny", "--version"]).is_none() {
        step(
            "Skipping",
            "licences and advisories: cargo-deny is not installed (`cargo install --locked cargo-deny`)",
        );
        return Ok(());
    }
    step("Checking", "licences and advisories");
    Cargo::host().args(["deny", "--workspace", "check"]).run()
}

//! `cargo xtask setup`: the BPF toolchain, installed only when absent.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::{
    apt,
    command::{self, step},
    toolchain::{Linker, LlvmLibrary, Route},
    workspace::Workspace,
};

/// Everything that the BPF build needs.
pub struct Toolchain {
    /// The compiler.
    pub route: Route,
    /// The linker.
    pub linker: Linker,
    /// What the linker loads.
    pub llvm: LlvmLibrary,
}

/// Finds or installs the toolchain; quiet when there is nothing to do.
pub fn ensure(workspace: &Workspace) -> Result<Toolchain> {
    let route = Route::ensure(&workspace.pins)?;
    let linker = Linker::ensure(workspace)?;
    let llvm = LlvmLibrary::ensure(workspace, &route)?;
    Ok(Toolchain { route, linker, llvm })
}

/// Finds or installs the commands `ip` and `bridge`, the tests' second opinion about the kernel's state.
pub fn ensure_iproute() -> Result<()> {
    if ["ip", "bridge"].iter().all(|name| command::ask(name, &["-V"]).is_some()) {
        return Ok(());
    }
    apt::install(&["iproute2"], "tests and demo compare with the Linux bridge, which `ip` builds")
        .context("`ip` and `bridge` are not installed; install iproute2")
}

/// The task.
pub fn run(workspace: &Workspace) -> Result<ExitCode> {
    let toolchain = ensure(workspace)?;
    ensure_iproute()?;
    match &toolchain.route {
        Route::Nightly { toolchain, .. } => step("Compiler", &format!("rustup {toolchain} with rust-src")),
        Route::Debian => step("Compiler", "/usr/bin/rustc with Debian's BPF `core`"),
    }
    step(
        "Linker",
        &format!("bpf-linker {} at {}", workspace.pins.bpf_linker, toolchain.linker.path().display()),
    );
    Ok(ExitCode::SUCCESS)
}

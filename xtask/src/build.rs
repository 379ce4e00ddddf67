//! `cargo xtask build`: the BPF object first, because the host binary embeds it.

use std::{env, fs, path::Path, process::ExitCode};

use anyhow::{Context, Result};

use crate::{
    command::{Cargo, step},
    setup::{self, Toolchain},
    workspace::Workspace,
};

/// Options of the task.
#[derive(clap::Args)]
pub struct Args {
    /// Optimise the host binaries; the BPF object always is
    #[arg(long)]
    release: bool,
}

/// The task.
pub fn run(workspace: &Workspace, args: &Args) -> Result<ExitCode> {
    object(workspace)?;
    host(workspace, args.release, &["--package=vswitch"])?;
    step("Built", &workspace.binary(args.release, "vswitch").display().to_string());
    Ok(ExitCode::SUCCESS)
}

/// Sets up the toolchain, builds the BPF object and puts it where `vswitch/build.rs` finds it.
pub fn object(workspace: &Workspace) -> Result<Toolchain> {
    let toolchain = setup::ensure(workspace)?;
    bpf_cargo(workspace, &toolchain, "build", "bpf", &[])?;
    let built = workspace.target.join("bpf").join(&workspace.pins.target).join("release/vswitch-ebpf");
    copy_if_changed(&built, &workspace.object())?;
    Ok(toolchain)
}

/// Runs a subcommand of cargo on the BPF program, in its own directory of the target directory.
pub fn bpf_cargo(
    workspace: &Workspace,
    toolchain: &Toolchain,
    subcommand: &str,
    dir: &str,
    flags: &[&str],
) -> Result<()> {
    let target = &workspace.pins.target;
    let arch = format!("--cfg=bpf_target_arch=\"{}\"", env::consts::ARCH);
    let flags: Vec<&str> =
        ["-Cdebuginfo=2", "-Clink-arg=--btf", &arch].into_iter().chain(flags.iter().copied()).collect();
    let linker = format!("CARGO_TARGET_{}_LINKER", target.to_uppercase().replace('-', "_"));
    toolchain
        .route
        .cargo(subcommand)
        .args([
            "--package=vswitch-ebpf",
            "--bin=vswitch-ebpf",
            "--release",
            "--target",
            target,
            "--target-dir",
        ])
        .args([workspace.target.join(dir)])
        .args(["--manifest-path".as_ref(), workspace.root.join("Cargo.toml").as_os_str()])
        .env(linker, toolchain.linker.path())
        .env("LD_LIBRARY_PATH", toolchain.llvm.dir())
        .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
        .run()
}

/// Builds for the host.
pub fn host(workspace: &Workspace, release: bool, args: &[&str]) -> Result<()> {
    let manifest = workspace.root.join("Cargo.toml");
    let profile: &[&str] = if release { &["--release"] } else { &[] };
    Cargo::host().args(["build", "--manifest-path"]).args([manifest]).args(profile).args(args).run()
}

/// Leaves the time stamp of an unchanged object alone, so that the host binary is not built again.
fn copy_if_changed(from: &Path, to: &Path) -> Result<()> {
    let new = fs::read(from).with_context(|| format!("the BPF build left no {}", from.display()))?;
    if fs::read(to).is_ok_and(|old| old == new) {
        return Ok(());
    }
    // By rename, so that a build that runs at the same time never sees half an object.
    let half = to.with_extension("new");
    fs::write(&half, new)
        .and_then(|()| fs::rename(&half, to))
        .with_context(|| format!("cannot write {}", to.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unchanged_object_keeps_its_time_stamp() {
        let dir = env::temp_dir().join(format!("vswitch-xtask-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (from, to) = (dir.join("from"), dir.join("to.o"));
        fs::write(&from, "one").unwrap();
        copy_if_changed(&from, &to).unwrap();
        let first = fs::metadata(&to).unwrap();
        copy_if_changed(&from, &to).unwrap();
        let second = fs::metadata(&to).unwrap();
        assert_eq!(first.modified().unwrap(), second.modified().unwrap());
        fs::write(&from, "two").unwrap();
        copy_if_changed(&from, &to).unwrap();
        assert_eq!(fs::read(&to).unwrap(), b"two");
        fs::remove_dir_all(&dir).unwrap();
    }
}

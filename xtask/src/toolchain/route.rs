//! The compiler: rustup has no prebuilt `core` for BPF, so either a nightly builds one or Debian's packages bring it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Result, bail};

use crate::{
    apt,
    command::{self, Cargo, step},
    workspace::Pins,
};

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_SYSROOT: &str = "/usr";

/// A compiler that can make BPF code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A rustup nightly with `rust-src`; `core` is built from source.
    Nightly {
        /// Name of the toolchain.
        toolchain: String,
        /// Its directory.
        sysroot: PathBuf,
    },
    /// Debian's compiler with a prebuilt BPF `core`.
    Debian,
}

impl Route {
    /// The first route that is present.
    pub fn find(pins: &Pins) -> Option<Self> {
        Self::find_nightly(pins).or_else(|| Self::find_debian(pins))
    }

    /// Finds a route or installs one, saying what and why.
    pub fn ensure(pins: &Pins) -> Result<Self> {
        if let Some(route) = Self::find(pins) {
            return Ok(route);
        }
        let mut tried = Vec::new();
        for install in [install_debian, install_nightly] {
            if let Err(error) = install(pins) {
                tried.push(format!("  - {error:#}"));
            }
            // One way is enough.
            if let Some(route) = Self::find(pins) {
                return Ok(route);
            }
        }
        bail!(
            "no compiler for `{}` is installed, and installing one failed:\n{}\n\
             run `{}` or, on Debian as root, `apt-get install {}`",
            pins.target,
            tried.join("\n"),
            nightly_command(pins),
            pins.debian_packages.join(" ")
        );
    }

    /// Where the compiler's own libraries may be.
    pub fn library_dirs(&self) -> Vec<PathBuf> {
        match self {
            Self::Nightly { sysroot, .. } => vec![sysroot.join("lib")],
            Self::Debian => {
                vec![
                    PathBuf::from(format!("/usr/lib/{}-linux-gnu", std::env::consts::ARCH)),
                    "/usr/lib".into(),
                ]
            }
        }
    }

    /// Cargo with this compiler: the toolchain, then the given subcommand, then what builds `core`.
    pub fn cargo(&self, subcommand: &str) -> Cargo {
        match self {
            Self::Nightly { toolchain, .. } => {
                Cargo::foreign().args([&format!("+{toolchain}"), subcommand, "-Zbuild-std=core"])
            }
            // The prebuilt `core` comes with a stable compiler, and aya-ebpf needs unstable features.
            Self::Debian => {
                Cargo::foreign().args([subcommand]).env("RUSTC", DEBIAN_RUSTC).env("RUSTC_BOOTSTRAP", "1")
            }
        }
    }

    /// True when `cargo clippy` exists for this compiler.
    pub fn has_clippy(&self) -> bool {
        match self {
            Self::Nightly { sysroot, .. } => sysroot.join("bin/clippy-driver").is_file(),
            Self::Debian => false,
        }
    }

    fn find_nightly(pins: &Pins) -> Option<Self> {
        let list = command::ask("rustup", &["toolchain", "list"])?;
        for toolchain in candidates(&list, &pins.nightly) {
            let sysroot = PathBuf::from(
                command::ask("rustup", &["run", &toolchain, "rustc", "--print=sysroot"])?.trim(),
            );
            let version = command::ask(sysroot.join("bin/rustc"), &["-vV"])?;
            if sysroot.join("lib/rustlib/src/rust/library/core").is_dir()
                && llvm_major(&version) <= Some(pins.llvm)
            {
                return Some(Self::Nightly { toolchain, sysroot });
            }
        }
        None
    }

    fn find_debian(pins: &Pins) -> Option<Self> {
        let version = command::ask(DEBIAN_RUSTC, &["-vV"])?;
        let core = has_core(&Path::new(DEBIAN_SYSROOT).join("lib/rustlib").join(&pins.target).join("lib"));
        (core && llvm_major(&version).is_some_and(|major| major <= pins.llvm)).then_some(Self::Debian)
    }
}

/// The installed toolchains worth a look: the pinned one, then a plain nightly.
fn candidates(list: &str, pinned: &str) -> Vec<String> {
    let names: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let installed = |wanted: &str| names.iter().any(|name| is_toolchain(name, wanted));
    let mut found: Vec<String> =
        [pinned, "nightly"].into_iter().filter(|name| installed(name)).map(str::to_owned).collect();
    found.dedup();
    found
}

/// `nightly-x86_64-unknown-linux-gnu` is `nightly`, but `nightly-2026-01-01-x86_64-unknown-linux-gnu` is not.
fn is_toolchain(name: &str, wanted: &str) -> bool {
    name.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(&format!("-{}", std::env::consts::ARCH)))
}

/// Major version in the line `LLVM version: 22.1.2` of `rustc -vV`.
fn llvm_major(version: &str) -> Option<u64> {
    version.lines().find_map(|line| line.strip_prefix("LLVM version: "))?.split('.').next()?.parse().ok()
}

fn has_core(dir: &Path) -> bool {
    dir.read_dir().is_ok_and(|files| files.flatten().any(|file| is_core(&file.path())))
}

fn is_core(file: &Path) -> bool {
    let stem = file.file_stem().and_then(|stem| stem.to_str());
    stem.is_some_and(|stem| stem.starts_with("libcore-"))
        && file.extension().is_some_and(|kind| kind == "rlib")
}

fn install_debian(pins: &Pins) -> Result<()> {
    apt::install(&pins.debian_packages, "a compiler with a prebuilt BPF `core`")
}

fn nightly_command(pins: &Pins) -> String {
    format!(
        "rustup toolchain install {} --component rust-src --profile minimal --no-self-update",
        pins.nightly
    )
}

fn install_nightly(pins: &Pins) -> Result<()> {
    if command::ask("rustup", &["--version"]).is_none() {
        bail!("rustup is not installed, so a nightly was not tried");
    }
    step("Installing", &format!("{} with rust-src (it builds `core` for BPF from source)", pins.nightly));
    let mut install = Command::new("sh");
    install.args(["-c", &nightly_command(pins)]);
    command::run(install)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dated_nightly_is_not_the_plain_one() {
        let arch = std::env::consts::ARCH;
        let list = format!(
            "stable-{arch}-unknown-linux-gnu (active, default)\nnightly-2026-05-20-{arch}-unknown-linux-gnu\n"
        );
        assert_eq!(candidates(&list, "nightly-2026-05-20"), ["nightly-2026-05-20"]);
        assert!(candidates(&list, "nightly-2026-05-21").is_empty());
        assert_eq!(candidates("nightly\n", "nightly"), ["nightly"]);
    }

    #[test]
    fn the_llvm_version_is_read() {
        assert_eq!(llvm_major("rustc 1.95.0\nrelease: 1.95.0\nLLVM version: 22.1.2\n"), Some(22));
        assert_eq!(llvm_major("rustc 1.95.0"), None);
    }
}

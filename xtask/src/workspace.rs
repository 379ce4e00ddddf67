//! Where things are, and the pins of the BPF toolchain.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::command::{self, Cargo};

/// The workspace as `cargo metadata` sees it.
pub struct Workspace {
    /// Directory of the root `Cargo.toml`.
    pub root: PathBuf,
    /// The target directory; a `CARGO_TARGET_DIR` of the user is honoured.
    pub target: PathBuf,
    /// `[workspace.metadata.ebpf]`.
    pub pins: Pins,
}

/// Versions of the BPF toolchain, written once in the root `Cargo.toml`.
#[derive(Debug, PartialEq, Eq)]
pub struct Pins {
    /// The BPF target triple.
    pub target: String,
    /// Version of bpf-linker.
    pub bpf_linker: String,
    /// Major version of the LLVM that this bpf-linker speaks.
    pub llvm: u64,
    /// The rustup toolchain that can build `core` from source.
    pub nightly: String,
    /// The Debian packages with a compiler and a prebuilt BPF `core`.
    pub debian_packages: Vec<String>,
}

impl Workspace {
    /// Asks cargo.
    pub fn load() -> Result<Self> {
        let text = command::capture(
            Cargo::host().args(["metadata", "--no-deps", "--format-version=1", "--offline"]).command(),
        )?;
        let metadata: Value = serde_json::from_str(&text).context("`cargo metadata` printed no JSON")?;
        Ok(Self {
            root: path(&metadata, "workspace_root")?,
            target: path(&metadata, "target_directory")?,
            pins: Pins::parse(&metadata["metadata"]["ebpf"])?,
        })
    }

    /// The BPF object that `cargo xtask build` leaves and `vswitch/build.rs` embeds.
    pub fn object(&self) -> PathBuf {
        self.target.join("bpf/vswitch.o")
    }

    /// Where `cargo xtask setup` installs what it cannot find.
    pub fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// A binary of a profile.
    pub fn binary(&self, release: bool, name: &str) -> PathBuf {
        self.target.join(if release { "release" } else { "debug" }).join(name)
    }
}

impl Pins {
    fn parse(table: &Value) -> Result<Self> {
        let text = |key: &str| {
            let value = table[key].as_str();
            value.map(str::to_owned).with_context(|| missing(key, "a string"))
        };
        let packages = table["debian-packages"].as_array().and_then(|list| {
            list.iter().map(|name| name.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>()
        });
        Ok(Self {
            target: text("target")?,
            bpf_linker: text("bpf-linker")?,
            llvm: table["llvm"].as_u64().with_context(|| missing("llvm", "a number"))?,
            nightly: text("nightly")?,
            debian_packages: packages.with_context(|| missing("debian-packages", "a list of strings"))?,
        })
    }
}

fn missing(key: &str, what: &str) -> String {
    format!("`{key}` in [workspace.metadata.ebpf] of the root Cargo.toml must be {what}")
}

fn path(metadata: &Value, key: &str) -> Result<PathBuf> {
    let text = metadata[key].as_str().with_context(|| format!("`cargo metadata` reports no `{key}`"))?;
    Ok(PathBuf::from(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_of_this_workspace_are_complete() {
        let workspace = Workspace::load().unwrap();
        assert!(workspace.root.join("xtask/Cargo.toml").is_file());
        assert!(workspace.pins.target.starts_with("bpf"));
        assert!(!workspace.pins.debian_packages.is_empty());
    }

    #[test]
    fn a_missing_pin_is_named() {
        let error = Pins::parse(&serde_json::json!({ "target": "bpfel-unknown-none" })).unwrap_err();
        assert!(
            error.to_string().contains("`bpf-linker`") || error.to_string().contains("`llvm`"),
            "{error}"
        );
    }
}

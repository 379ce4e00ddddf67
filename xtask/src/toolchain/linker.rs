//! bpf-linker at the pinned version: from `PATH`, else built once into the target directory.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::{
    command::{self, Cargo, step},
    workspace::Workspace,
};

/// A bpf-linker of the pinned version.
#[derive(Debug)]
pub struct Linker(PathBuf);

impl Linker {
    /// The one in `PATH` or the one that we built, when its version is right.
    pub fn find(workspace: &Workspace) -> Option<Self> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path)
            .chain([workspace.tools().join("bin")])
            .map(|dir| dir.join("bpf-linker"))
            .find(|file| has_version(file, &workspace.pins.bpf_linker))
            .map(Self)
    }

    /// Finds it or builds it, saying so.
    pub fn ensure(workspace: &Workspace) -> Result<Self> {
        if let Some(linker) = Self::find(workspace) {
            return Ok(linker);
        }
        let version = &workspace.pins.bpf_linker;
        let root = workspace.tools();
        step(
            "Installing",
            &format!("bpf-linker {version} into {} (about two minutes, once)", root.display()),
        );
        // Without CARGO_TARGET_DIR cargo builds in a temporary directory and removes it.
        Cargo::foreign()
            .args(["install", "bpf-linker", "--locked", "--force", "--version", version, "--root"])
            .args([&root])
            .run()?;
        Ok(Self(root.join("bin/bpf-linker")))
    }

    /// Its absolute path.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

fn has_version(file: &Path, version: &str) -> bool {
    file.is_file() && command::ask(file, &["--version"]).is_some_and(|said| is_version(&said, version))
}

fn is_version(said: &str, version: &str) -> bool {
    said.split_whitespace().nth(1) == Some(version)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_does_not_count() {
        assert!(is_version("bpf-linker 0.10.3\n", "0.10.3"));
        assert!(!is_version("bpf-linker 0.10.30\n", "0.10.3"));
        assert!(!is_version("", "0.10.3"));
    }
}

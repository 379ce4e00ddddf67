//! The LLVM library for bpf-linker, which loads the first that it finds in `LD_LIBRARY_PATH`.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};

use super::Route;
use crate::{command, workspace::Workspace};

/// Below this size a file of that name is a linker script or a dangling link, not the library.
const LEAST_SIZE: u64 = 1 << 20;

/// A directory that holds one link, to an LLVM of the right version. On the library path it changes nothing else.
#[derive(Debug)]
pub struct LlvmLibrary(PathBuf);

impl LlvmLibrary {
    /// Looks beside the compiler of the route, then beside the default one.
    pub fn ensure(workspace: &Workspace, route: &Route) -> Result<Self> {
        let mut dirs = route.library_dirs();
        if let Some(sysroot) = command::ask("rustc", &["--print=sysroot"]) {
            dirs.push(Path::new(sysroot.trim()).join("lib"));
        }
        let major = workspace.pins.llvm;
        let library = dirs.iter().find_map(|dir| find(dir, major)).with_context(|| {
            let dirs: Vec<_> = dirs.iter().map(|dir| dir.display().to_string()).collect();
            format!("no libLLVM {major} for bpf-linker in {}; run `cargo xtask setup`", dirs.join(", "))
        })?;
        let dir = workspace.tools().join("llvm");
        let link = dir.join("libLLVM.so");
        if fs::read_link(&link).ok().as_ref() != Some(&library) {
            fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
            match fs::remove_file(&link) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => symlink(&library, &link).with_context(|| format!("cannot make {}", link.display()))?,
            }
        }
        Ok(Self(dir))
    }

    /// Value for `LD_LIBRARY_PATH`.
    pub fn dir(&self) -> &Path {
        &self.0
    }
}

fn find(dir: &Path, major: u64) -> Option<PathBuf> {
    let mut files: Vec<PathBuf> = dir.read_dir().ok()?.filter_map(|file| Some(file.ok()?.path())).collect();
    files.sort();
    files.into_iter().find(|path| {
        let name = path.file_name().and_then(|name| name.to_str());
        name.is_some_and(|name| is_llvm(name, major))
            && fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > LEAST_SIZE)
    })
}

/// `libLLVM.so.22.1`, `libLLVM.so.22.1-rust-1.95.0-stable`, `libLLVM-22-rust-1.95.0-stable.so`.
fn is_llvm(name: &str, major: u64) -> bool {
    let Some(rest) = name.strip_prefix("libLLVM.so.").or_else(|| name.strip_prefix("libLLVM-")) else {
        return false;
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..digits].parse() == Ok(major)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_major_version_counts() {
        for name in
            ["libLLVM.so.22.1", "libLLVM.so.22.1-rust-1.95.0-stable", "libLLVM-22-rust-1.95.0-stable.so"]
        {
            assert!(is_llvm(name, 22), "{name}");
        }
        for name in
            ["libLLVM-14.so.1", "libLLVMCore.a", "libLLVM.so", "libLLVM.so.220", "librustc_driver-22.so"]
        {
            assert!(!is_llvm(name, 22), "{name}");
        }
    }
}

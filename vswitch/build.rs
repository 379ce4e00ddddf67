//! Finds the BPF object that `cargo xtask build` made, for the binary to embed.
//!
//! The object is no build product of cargo's: its compiler is another one, and cargo must not be run inside cargo.

use std::{
    env,
    path::{Path, PathBuf},
};

// `cargo::error` fails the build by itself, with one line; an exit code would add a page of the script's output.

/// Names the object, both for this script and for `env!` in the crate.
const VARIABLE: &str = "VSWITCH_BPF_OBJECT";

fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    let Some(object) = env::var_os(VARIABLE).map(PathBuf::from).or_else(built) else {
        println!("cargo::error=the BPF object is not built yet; run `cargo xtask build`");
        return;
    };
    // Absent is not an error of this line: cargo runs the script again until it is there.
    println!("cargo::rerun-if-changed={}", object.display());
    if !object.is_file() {
        println!(
            "cargo::error={VARIABLE} names `{}`, which is no file; correct or unset it",
            object.display()
        );
        return;
    }
    println!("cargo::rustc-env={VARIABLE}={}", object.display());
}

/// `bpf/vswitch.o` in the target directory, which is some levels above this script's output directory: the profile,
/// and with `--target` the triple, lie in between.
fn built() -> Option<PathBuf> {
    let out = env::var_os("OUT_DIR")?;
    Path::new(&out).ancestors().map(|dir| dir.join("bpf/vswitch.o")).find(|object| object.is_file())
}

//! Child processes: an environment without the traces of the running `cargo xtask`, and errors that say what ran.

use std::{
    env,
    ffi::{OsStr, OsString},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

/// Says on standard error what comes next, as cargo does.
pub fn step(verb: &str, what: &str) {
    eprintln!("{verb:>12} {what}");
}

/// A cargo command line in the making.
pub struct Cargo(Command);

impl Cargo {
    /// Cargo for the host, with the user's own flags, but without what the running cargo set for us: a build script
    /// that watches such a variable would run again each time.
    pub fn host() -> Self {
        Self::new(|name| !of_the_running_cargo(name))
    }

    /// Cargo for another compiler: the user's flags and compiler are meant for the host and stay out as well.
    pub fn foreign() -> Self {
        Self::new(|name| !of_the_running_cargo(name) && !of_the_host_compiler(name))
    }

    fn new(keep: fn(&str) -> bool) -> Self {
        let mut command = Command::new("cargo");
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(|name| !keep(name)) {
                command.env_remove(name);
            }
        }
        Self(command)
    }

    /// Adds arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        self.0.args(args);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> Self {
        self.0.env(name, value);
        self
    }

    /// The finished command.
    pub fn command(self) -> Command {
        self.0
    }

    /// Runs it to success.
    pub fn run(self) -> Result<()> {
        run(self.0)
    }
}

/// Set by `cargo run` for the program that it runs. rustup's `RUSTUP_TOOLCHAIN` is the user's choice and stays.
fn of_the_running_cargo(name: &str) -> bool {
    const EXACT: [&str; 7] = [
        "CARGO",
        "CARGO_CRATE_NAME",
        "CARGO_BIN_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
        "LD_LIBRARY_PATH",
        "OUT_DIR",
    ];
    EXACT.contains(&name) || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn of_the_host_compiler(name: &str) -> bool {
    const PREFIXES: [&str; 4] = ["CARGO_BUILD_", "CARGO_TARGET_", "CARGO_PROFILE_", "CARGO_UNSTABLE_"];
    const EXACT: [&str; 7] = [
        "CARGO_ENCODED_RUSTFLAGS",
        "RUSTC",
        "RUSTC_BOOTSTRAP",
        "RUSTC_WRAPPER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTFLAGS",
        "RUSTUP_TOOLCHAIN",
    ];
    EXACT.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Runs a command to success; what it prints goes where our output goes.
pub fn run(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("`{}` did not start", line(&command)))?;
    if !status.success() {
        bail!("`{}` failed ({status})", line(&command));
    }
    Ok(())
}

/// Runs a command to success and returns what it printed on standard output.
pub fn capture(mut command: Command) -> Result<String> {
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let output = command.output().with_context(|| format!("`{}` did not start", line(&command)))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("`{}` failed ({}): {}", line(&command), output.status, said.trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{}` printed no UTF-8", line(&command)))
}

/// What a command that may be absent prints; `None` when it is absent or fails.
pub fn ask(program: impl AsRef<OsStr>, args: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    command.args(args);
    capture(command).ok()
}

/// The command as one would type it.
fn line(command: &Command) -> String {
    let words: Vec<OsString> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(OsStr::to_owned).collect();
    words.join(OsStr::new(" ")).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_user_keeps_his_registry_and_target_directory() {
        for name in ["CARGO_HOME", "CARGO_HTTP_CAINFO", "CARGO_TARGET_DIR", "CARGO_NET_OFFLINE", "PATH"] {
            assert!(!of_the_running_cargo(name), "{name}");
        }
        assert!(of_the_running_cargo("CARGO_PKG_NAME") && of_the_running_cargo("CARGO"));
    }

    #[test]
    fn host_flags_stay_out_of_the_bpf_build() {
        for name in
            ["RUSTFLAGS", "RUSTC", "CARGO_ENCODED_RUSTFLAGS", "CARGO_TARGET_DIR", "CARGO_BUILD_TARGET"]
        {
            assert!(of_the_host_compiler(name), "{name}");
        }
        assert!(!of_the_host_compiler("CARGO_HOME") && !of_the_host_compiler("CARGO_NET_RETRY"));
    }

    #[test]
    fn a_failure_says_what_ran_and_what_it_said() {
        let mut command = Command::new("sh");
        command.args(["-c", "echo because >&2; exit 3"]);
        let error = capture(command).unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && error.contains("because"), "{error}");
    }
}

//! The `vswitch` command, run and shown.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::screen;
use crate::vswitch::VARIABLE;

/// No command takes nearly as long.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs `vswitch` in the calling thread's namespaces.
#[derive(Clone, Debug)]
pub struct Shell {
    binary: PathBuf,
}

impl Shell {
    /// The binary that `VSWITCH_BIN` names, else the one beside the demo.
    ///
    /// # Errors
    /// When there is none.
    pub fn find() -> Result<Self> {
        let binary = match env::var_os(VARIABLE) {
            Some(path) => PathBuf::from(path),
            None => env::current_exe()?.with_file_name("vswitch"),
        };
        let binary = fs::canonicalize(&binary).with_context(|| {
            format!("there is no `{}`; run `cargo xtask demo`, which builds it", binary.display())
        })?;
        Ok(Self { binary })
    }

    /// Where the binary is.
    pub fn path(&self) -> &Path {
        &self.binary
    }

    /// Runs it to success, showing the command and the time that it took, then what it printed.
    ///
    /// # Errors
    /// When it fails or hangs.
    pub fn show(&self, arguments: &[&str]) -> Result<()> {
        let start = Instant::now();
        let output = self.run(arguments);
        screen::timed_command(&format!("vswitch {}", arguments.join(" ")), start.elapsed().as_millis());
        screen::output(&output?);
        Ok(())
    }

    /// Runs it to success and gives what it printed.
    ///
    /// # Errors
    /// When it fails or hangs.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        let output = self.wait(arguments).with_context(|| format!("`vswitch {}`", arguments.join(" ")))?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "`vswitch {}` failed: {}",
            arguments.join(" "),
            said.trim().trim_start_matches("error: ")
        );
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    fn wait(&self, arguments: &[&str]) -> Result<Output> {
        let mut child = Command::new(&self.binary)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let deadline = Instant::now() + PATIENCE;
        // Its output is far smaller than a pipe's buffer, so it never waits for us.
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("it took more than {PATIENCE:?} and was killed");
            }
            thread::sleep(Duration::from_millis(1));
        }
        Ok(child.wait_with_output()?)
    }

    /// Shows that no process of ours is alive, so that whatever is forwarded now, the kernel forwards by itself.
    ///
    /// # Errors
    /// When there is one.
    pub fn prove_absent(&self) -> Result<()> {
        let alive: Vec<String> = fs::read_dir("/proc")?
            .flatten()
            .filter(|entry| fs::read_link(entry.path().join("exe")).is_ok_and(|exe| exe == self.binary))
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .collect();
        ensure!(alive.is_empty(), "a vswitch process is alive: {}", alive.join(", "));
        screen::note("0 vswitch processes are running: the kernel forwards by itself.");
        Ok(())
    }
}

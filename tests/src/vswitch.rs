//! The command under test, run as a user runs it.

use std::{
    env,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use serde_json::Value;

/// Name of the variable with the path of the binary.
pub const VARIABLE: &str = "VSWITCH_BIN";

/// The `vswitch` binary.
#[derive(Clone, Debug)]
pub struct Cli {
    binary: PathBuf,
}

/// What a command said.
#[derive(Clone, Debug)]
pub struct Output {
    /// The command line, for messages.
    pub command: String,
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Cli {
    /// The binary that `VSWITCH_BIN` names, else the one beside the running test.
    ///
    /// # Panics
    /// When there is none: a test without the product proves nothing.
    pub fn find() -> Self {
        let binary = env::var_os(VARIABLE).map_or_else(
            || {
                // target/debug/deps/test-0123 → target/debug/vswitch
                let test = env::current_exe().expect("path of the test");
                test.ancestors().nth(2).expect("target directory").join("vswitch")
            },
            PathBuf::from,
        );
        assert!(
            binary.is_file(),
            "there is no `{}`; run `cargo xtask test`, which builds it, or set {VARIABLE}",
            binary.display()
        );
        Self { binary }
    }

    /// The command with these arguments, ready to run in the calling thread's namespaces.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(arguments).stdin(Stdio::null());
        command
    }

    /// Runs it to its end.
    ///
    /// # Panics
    /// When it cannot be started.
    #[track_caller]
    pub fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command(arguments).output().expect("start the command");
        Output {
            command: format!("vswitch {}", arguments.join(" ")),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it and expects success.
    ///
    /// # Panics
    /// When it fails.
    #[track_caller]
    pub fn ok(&self, arguments: &[&str]) -> Output {
        self.run(arguments).ok()
    }

    /// Runs it with `--json` and gives what it prints.
    ///
    /// # Panics
    /// When it fails or prints anything else.
    #[track_caller]
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.ok(&[&["--json"], arguments].concat()).json()
    }

    /// Runs it with `--json` and gives the rows of the list that it prints.
    ///
    /// # Panics
    /// As [`Self::json`], and when it is no list.
    #[track_caller]
    pub fn rows(&self, arguments: &[&str]) -> Vec<Value> {
        let mut answer = self.json(arguments);
        let rows = answer.as_array_mut().map(std::mem::take);
        rows.unwrap_or_else(|| panic!("{arguments:?} gave no list: {answer}"))
    }

    /// Starts it and does not wait.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn spawn(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("start the command")
    }
}

#[expect(clippy::return_self_not_must_use, reason = "the expectation was the point, the output is extra")]
impl Output {
    /// Expects success.
    ///
    /// # Panics
    /// On any other exit code than 0.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "`{}` failed: {}{}", self.command, self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// When it is not.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("`{}` gave no JSON: {error}: {}", self.command, self.stdout))
    }

    /// Expects a refusal as every refusal must be: exit code 1 or 2, nothing on standard output, one line on
    /// standard error.
    ///
    /// # Panics
    /// When it is not like that.
    #[track_caller]
    pub fn refused(self) -> Self {
        assert!(
            matches!(self.code, Some(1 | 2)),
            "`{}` was not refused: {:?} {}{}",
            self.command,
            self.code,
            self.stdout,
            self.stderr
        );
        assert_eq!(self.stdout, "", "`{}` printed data although it failed", self.command);
        let lines = self.stderr.trim_end().lines().count();
        assert_eq!(lines, 1, "`{}` needs one line on standard error: {}", self.command, self.stderr);
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
        self
    }
}

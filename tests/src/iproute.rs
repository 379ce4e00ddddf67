//! The `ip` and `bridge` commands of iproute2: the other opinion about what the kernel's state is.

use std::process::Command;

use serde_json::Value;

/// Runs `ip` in the calling thread's namespaces and gives its output.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn ip(arguments: &[&str]) -> String {
    run("ip", arguments)
}

/// Runs `bridge` and gives its output.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn bridge(arguments: &[&str]) -> String {
    run("bridge", arguments)
}

/// Runs `ip -j` and gives the rows of its answer.
///
/// # Panics
/// When it fails or the answer is not JSON.
#[track_caller]
pub fn ip_json(arguments: &[&str]) -> Vec<Value> {
    rows(&run("ip", &[&["-j"], arguments].concat()))
}

/// Runs `bridge -j` and gives the rows of its answer.
///
/// # Panics
/// When it fails or the answer is not JSON.
#[track_caller]
pub fn bridge_json(arguments: &[&str]) -> Vec<Value> {
    rows(&run("bridge", &[&["-j"], arguments].concat()))
}

/// Whether there is a link of that name in the calling thread's namespace.
pub fn link_exists(name: &str) -> bool {
    ip_json(&["link"]).iter().any(|link| link["ifname"] == name)
}

fn rows(text: &str) -> Vec<Value> {
    // Nothing to show is shown as nothing, not as an empty list.
    if text.trim().is_empty() {
        return Vec::new();
    }
    // An element of which iproute2 prints nothing is printed as an empty object.
    let rows: Vec<Value> = serde_json::from_str(text).expect("JSON of iproute2");
    rows.into_iter().filter(|row| row.as_object().is_some_and(|row| !row.is_empty())).collect()
}

/// Runs one of the commands; what it said if the kernel refused.
///
/// # Errors
/// What it said on standard error.
///
/// # Panics
/// When the command does not exist.
pub fn attempt(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("run `{program}`: {error}; install iproute2"));
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[track_caller]
fn run(program: &str, arguments: &[&str]) -> String {
    attempt(program, arguments)
        .unwrap_or_else(|complaint| panic!("{program} {}: {complaint}", arguments.join(" ")))
}

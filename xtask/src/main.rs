//! One door for developers: `cargo xtask <task>`.

use std::process::ExitCode;

use clap::Parser;

mod apt;
mod build;
mod ci;
mod clean;
mod command;
mod counts;
mod demo;
mod lint;
mod privilege;
mod setup;
mod test;
mod toolchain;
mod workspace;

use workspace::Workspace;

/// Builds, tests, checks and shows vswitch.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Build the BPF object and the host binaries
    Build(build::Args),
    /// Install what the BPF object needs: a compiler with a BPF `core`, and bpf-linker
    Setup,
    /// Run every test, the privileged ones included, and end with the counts
    Test(test::Args),
    /// Check formatting, clippy, the import rules, file sizes and dependencies
    Lint,
    /// Build everything and show a switch at work, in namespaces of its own
    Demo(demo::Args),
    /// Run exactly what the continuous integration runs: lint, then test
    Ci,
    /// Remove what was built, but not the installed tools
    Clean(clean::Args),
}

fn main() -> ExitCode {
    let task = Task::parse();
    let done = Workspace::load().and_then(|workspace| match task {
        Task::Build(args) => build::run(&workspace, &args),
        Task::Setup => setup::run(&workspace),
        Task::Test(args) => test::run(&workspace, &args),
        Task::Lint => lint::run(&workspace),
        Task::Demo(args) => demo::run(&workspace, &args),
        Task::Ci => ci::run(&workspace),
        Task::Clean(args) => clean::run(&workspace, &args),
    });
    match done {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

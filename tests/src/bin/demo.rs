//! `demo [--keep]`: a switch at work, shown with the commands that a user would type. `cargo xtask demo` runs it.

use std::{env, process::ExitCode};

use vswitch_tests::demo;

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        [] => demo::run(false),
        ["--keep"] => demo::run(true),
        // How `--keep` leaves the tap's peer running.
        ["tap-echo", device] => demo::tap_echo::serve(device),
        _ => {
            eprintln!("demo: arguments are wrong; usage: demo [--keep]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("demo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

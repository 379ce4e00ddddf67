//! The `vswitch` command: parse, run, exit status.

use std::process::ExitCode;

use clap::Parser as _;
use vswitch::cli::{
    Cli, output,
    usage::{Usage, classify},
};

/// Wrong usage, as the shells have it.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return explain(&error),
    };
    output::follow(cli.verbose);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result =
        runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(cli.noun.run(cli.json)));
    match result.and_then(|report| Ok(output::print(&report, cli.json)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if output::is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

fn explain(error: &clap::Error) -> ExitCode {
    match classify(error) {
        Usage::Asked(text) => {
            output::help(&text);
            ExitCode::SUCCESS
        }
        Usage::Missing(text) => {
            output::note(text.trim_end());
            ExitCode::from(USAGE)
        }
        Usage::Wrong(line) => {
            output::complain(&anyhow::Error::msg(line));
            ExitCode::from(USAGE)
        }
    }
}

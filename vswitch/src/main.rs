//! The `vswitch` command.

use std::process::ExitCode;

use clap::Parser;
use vswitch::cli::{Cli, Noun, link, ns, output};

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and the version are no errors.
        Err(usage) if !usage.use_stderr() => usage.exit(),
        Err(usage) => {
            let text = usage.to_string();
            let first: Vec<_> = text
                .lines()
                .take_while(|line| !line.is_empty())
                .map(str::trim)
                .collect();
            output::note(&first.join(" "));
            return ExitCode::from(2);
        }
    };
    let run = async {
        match cli.noun {
            Noun::Ns(command) => ns::run(command).await,
            Noun::Link(command) => link::run(command).await,
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let result = runtime
        .map_err(anyhow::Error::from)
        .and_then(|runtime| runtime.block_on(run));
    match result.and_then(|report| Ok(output::print(&report, cli.json)?)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::complain(&error);
            ExitCode::FAILURE
        }
    }
}

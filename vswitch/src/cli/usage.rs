//! Wrong usage, in one line.

use clap::error::ErrorKind;

/// What clap has to say: help and version whole, an error as one line with its tip.
pub enum Usage {
    /// Asked for; it goes to standard output and is a success.
    Asked(String),
    /// Nothing was said: the overview is the answer, on standard error; exit status 2.
    Missing(String),
    /// Wrong; exit status 2.
    Wrong(String),
}

/// Turns clap's answer into ours.
pub fn classify(error: &clap::Error) -> Usage {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Usage::Asked(error.to_string()),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Usage::Missing(error.to_string()),
        _ => Usage::Wrong(one_line(&error.to_string())),
    }
}

/// Keeps the message and its tips; leaves out the usage summary, which `--help` has.
fn one_line(text: &str) -> String {
    let mut line = String::new();
    for part in text.lines().map(str::trim) {
        if part.is_empty() {
            continue;
        }
        if part.starts_with("Usage:") || part.starts_with("For more information") {
            break;
        }
        let part = part.strip_prefix("error: ").unwrap_or(part);
        if let Some(tip) = part.strip_prefix("tip: ") {
            line.push_str("; ");
            line.push_str(tip);
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(part);
        }
    }
    if !line.contains("; ") {
        line.push_str("; see `--help`");
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Cli;
    use clap::{CommandFactory as _, Parser as _};

    fn wrong(words: &[&str]) -> String {
        match classify(&Cli::try_parse_from(words).expect_err("wrong usage")) {
            Usage::Wrong(line) => line,
            Usage::Asked(text) | Usage::Missing(text) => panic!("{text}"),
        }
    }

    #[test]
    fn errors_are_one_line_with_value_and_remedy() {
        let line = wrong(&["vswitch", "port", "add", "lab", "web", "--netns", "web", "--mac", "02:zz"]);
        assert!(line.contains("02:zz") && line.contains("; ") && !line.contains('\n'), "{line}");
        let line = wrong(&["vswitch", "swich", "list"]);
        assert!(line.contains("swich") && line.contains("switch") && !line.contains('\n'), "{line}");
    }

    #[test]
    fn the_description_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_verb_has_an_example() {
        fn check(command: &clap::Command) {
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(help.contains("vswitch "), "`{}` has no example", command.get_name());
            }
        }
        check(&Cli::command());
    }
}

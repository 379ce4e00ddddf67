//! The only printer: tables for people, JSON for scripts.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// What a verb has to say.
#[derive(Debug, Default)]
pub struct Report {
    text: String,
    json: Option<Value>,
    /// Everything was printed as it went.
    is_told: bool,
}

impl Report {
    /// Nothing to say: the verb did what was asked.
    pub fn silent() -> Self {
        Self::default()
    }

    /// Nothing left to say: the verb printed as it went.
    pub fn told() -> Self {
        Self { is_told: true, ..Self::default() }
    }

    /// A text for people and the same facts for scripts.
    pub fn new(text: impl Into<String>, facts: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self { text: text.into(), json: Some(serde_json::to_value(facts)?), is_told: false })
    }

    /// A table for people and its rows for scripts.
    pub fn table<T: Serialize>(
        header: &[&str],
        rows: &[T],
        row: impl Fn(&T) -> Vec<String>,
    ) -> serde_json::Result<Self> {
        let mut table = comfy_table::Table::new();
        table.load_preset(comfy_table::presets::NOTHING);
        table.set_header(header.iter().map(|title| title.to_uppercase()));
        for item in rows {
            table.add_row(row(item));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let text = table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
        Self::new(text, &rows)
    }

    /// The text for people.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Prints a report on standard output.
///
/// # Errors
/// When standard output cannot be written, a closed pipe included.
pub fn print(report: &Report, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if report.is_told {
        return out.flush();
    }
    if json {
        let value = report.json.as_ref().unwrap_or(&Value::Null);
        serde_json::to_writer_pretty(&mut out, value)?;
        writeln!(out)?;
    } else if !report.text.is_empty() {
        writeln!(out, "{}", report.text)?;
    }
    out.flush()
}

/// Says what went wrong, on standard error.
pub fn complain(error: &anyhow::Error) {
    note(&format!("error: {error:#}"));
}

/// Says something to people while a verb is at work, on standard error.
pub fn note(text: &str) {
    // There is nobody to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a help text on standard output.
pub fn help(text: &str) {
    // A reader that has seen enough is no error.
    let _ = write!(io::stdout().lock(), "{text}");
}

/// One line of what a verb follows, at once: text for people, one JSON object a line for scripts.
///
/// # Errors
/// When standard output cannot be written, a closed pipe included.
pub fn line(text: &str, facts: &Value, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        writeln!(out, "{facts}")?;
    } else {
        writeln!(out, "{text}")?;
    }
    out.flush()
}

/// Whether an error is only that nobody reads our output any more.
pub fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Tells on standard error what is done: warnings, with `-v` steps, with `-vv` all.
pub fn follow(verbose: u8) {
    let level = match verbose {
        0 => tracing::Level::WARN,
        1 => tracing::Level::INFO,
        _ => tracing::Level::DEBUG,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_target(false)
        .without_time()
        .with_writer(io::stderr)
        .init();
}

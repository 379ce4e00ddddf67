//! The only printer: tables for people, JSON for scripts.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// What a verb has to say.
#[derive(Debug, Default)]
pub struct Report {
    text: String,
    json: Option<Value>,
}

impl Report {
    /// Nothing to say: the verb did what was asked.
    pub fn silent() -> Self {
        Self::default()
    }

    /// A text for people and the same facts for scripts.
    pub fn new(text: impl Into<String>, facts: &impl Serialize) -> serde_json::Result<Self> {
        Ok(Self {
            text: text.into(),
            json: Some(serde_json::to_value(facts)?),
        })
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
        let text = table
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect::<Vec<_>>()
            .join("\n");
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

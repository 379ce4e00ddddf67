//! How the demo looks on a terminal: colour only there, and not when `NO_COLOR` is set.

use std::{
    env,
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
    sync::LazyLock,
};

static COLOUR: LazyLock<bool> = LazyLock::new(|| {
    io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
});

fn styled(code: &str, text: &str) -> String {
    if *COLOUR { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

/// The first line.
pub fn title(text: &str) {
    println!("\n{}", styled("1", text));
}

/// The line above a part.
pub fn heading(text: &str) {
    println!("\n{}", styled("1;36", text));
}

/// A sentence.
pub fn note(text: &str) {
    println!("  {text}");
}

/// A sentence about success.
pub fn good(text: &str) {
    println!("\n  {}", styled("1;32", text));
}

/// A command, as one would type it.
pub fn command(line: &str) {
    println!("  {} {line}", styled("2", "$"));
}

/// A command and how long it took, right of it.
pub fn timed_command(line: &str, milliseconds: u128) {
    command(&format!("{line:<68} {}", styled("2", &format!("{milliseconds:>4} ms"))));
}

/// What a command printed.
pub fn output(text: &str) {
    for line in text.lines() {
        println!("    {line}");
    }
}

/// Replaces the line of progress; an empty text removes it. Nothing happens unless a person is watching.
pub fn progress(text: &str) {
    if *COLOUR {
        print!(
            "\r\u{1b}[K{}",
            if text.is_empty() { String::new() } else { format!("  {}", styled("2", text)) }
        );
        // Progress that cannot be shown is no reason to stop.
        let _ = io::stdout().flush();
    }
}

/// A table, the first column left and the others right.
pub fn table(header: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(header.get(column).map(|title| title.chars().count())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::from("    ");
        for (column, (cell, width)) in cells.zip(&widths).enumerate() {
            let done =
                if column == 0 { write!(line, "{cell:<width$}") } else { write!(line, "   {cell:>width$}") };
            done.expect("a String takes everything");
        }
        line
    };
    println!("{}", styled("2", &line(&mut header.iter().copied())));
    for row in rows {
        println!("{}", line(&mut row.iter().map(String::as_str)));
    }
}

//! Words that may not be in code: places left open, and printing outside the printer.

use super::{
    Finding, is_in,
    source::{Ident, Source},
};

const OPEN: [&str; 3] = ["todo", "unimplemented", "dbg"];
const PRINTER: &str = "vswitch/src/cli/output.rs";

/// Checks one source.
pub fn check(source: &Source) -> impl Iterator<Item = Finding> {
    let controller = is_in(&source.path, "vswitch/src") && source.path != PRINTER;
    source.idents().into_iter().filter_map(move |ident| {
        let text = if OPEN.contains(&ident.name) && is_macro(ident) {
            format!("`{}!` is left in the code; finish it", ident.name)
        } else if controller && prints(ident) {
            format!("`{}` prints, which only `{PRINTER}` does; return a `Report`", ident.name)
        } else {
            return None;
        };
        Some(Finding { path: source.path.clone(), line: ident.line, text })
    })
}

fn is_macro(ident: Ident<'_>) -> bool {
    ident.after.starts_with('!') && !ident.after.starts_with("!=")
}

/// Standard error is free: it is where prose goes. `command.stdout(...)` is about a child.
fn prints(ident: Ident<'_>) -> bool {
    match ident.name {
        "print" | "println" => is_macro(ident),
        "stdout" | "Stdout" => !ident.before.trim_end().ends_with('.'),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&Source::new(path, text)).count()
    }

    #[test]
    fn open_places_are_found_everywhere() {
        for text in ["fn f() { todo!() }", "unimplemented!(\"x\")", "let x = dbg!(1);"] {
            assert_eq!(count("xtask/src/main.rs", text), 1, "{text}");
        }
        assert_eq!(count("xtask/src/main.rs", "let todo = 1; if todo != 2 {} // todo!()"), 0);
    }

    #[test]
    fn only_the_printer_prints() {
        for text in ["println!(\"a\")", "print!(\"a\")", "std::io::stdout().lock()", "use std::io::stdout;"] {
            assert_eq!(count("vswitch/src/cli/switch.rs", text), 1, "{text}");
            assert_eq!(count(PRINTER, text), 0, "{text}");
            assert_eq!(count("xtask/src/main.rs", text), 0, "{text}");
        }
        assert_eq!(
            count("vswitch/src/main.rs", "eprintln!(\"a\"); command.stdout(x); child.stdout.take()"),
            0
        );
    }
}

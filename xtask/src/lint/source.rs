//! Source files, and the identifiers in them that are code: not comments, not texts.

use std::{fs, path::Path};

use anyhow::{Context, Result};

/// A Rust source file.
pub struct Source {
    /// Path from the root of the workspace, with slashes.
    pub path: String,
    /// All of it.
    pub text: String,
    /// The same with comments and the contents of literals blanked; offsets and lines are unchanged.
    pub code: String,
}

/// An identifier in code.
#[derive(Clone, Copy, Debug)]
pub struct Ident<'a> {
    /// Itself.
    pub name: &'a str,
    /// Line, from 1.
    pub line: usize,
    /// The code before it.
    pub before: &'a str,
    /// The code behind it.
    pub after: &'a str,
}

impl Source {
    /// A source from its text.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        Self { path: path.into(), code: blank(&text), text }
    }

    /// All identifiers and keywords in code.
    pub fn idents(&self) -> Vec<Ident<'_>> {
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        let bytes = self.code.as_bytes();
        let (mut found, mut line, mut at) = (Vec::new(), 1, 0);
        while at < bytes.len() {
            if bytes[at] == b'\n' {
                line += 1;
            }
            if !is_part(bytes[at]) {
                at += 1;
                continue;
            }
            let end = (at..bytes.len()).find(|&i| !is_part(bytes[i])).unwrap_or(bytes.len());
            if !bytes[at].is_ascii_digit() {
                let (name, before, after) = (&self.code[at..end], &self.code[..at], &self.code[end..]);
                found.push(Ident { name, line, before, after });
            }
            at = end;
        }
        found
    }
}

/// Every Rust source of the workspace: the members' directories, without what is built.
pub fn read_all(root: &Path) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    walk(root, root, &mut sources)?;
    sources.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(sources)
}

fn walk(root: &Path, dir: &Path, sources: &mut Vec<Source>) -> Result<()> {
    for entry in dir.read_dir().with_context(|| format!("cannot list {}", dir.display()))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !path.is_symlink() {
            // A target directory, whatever its name, carries cargo's tag.
            if !name.starts_with('.') && name != "target" && !path.join("CACHEDIR.TAG").exists() {
                walk(root, &path, sources)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let relative = path.strip_prefix(root)?.to_string_lossy().into_owned();
            sources.push(Source::new(relative, text));
        }
    }
    Ok(())
}

/// Replaces comments and the insides of string and character literals by blanks.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let end = at + literal_or_comment(&text[at..], at.checked_sub(1).map(|i| bytes[i]));
        if end == at {
            let width = text[at..].chars().next().map_or(1, char::len_utf8);
            out.extend(if width == 1 { vec![bytes[at]] } else { vec![b' '; width] });
            at += width;
        } else {
            out.extend(bytes[at..end].iter().map(|&byte| if byte == b'\n' { b'\n' } else { b' ' }));
            at = end;
        }
    }
    String::from_utf8(out).unwrap_or_default()
}

/// Length of the comment or literal at the start of the text; 0 when there is none.
fn literal_or_comment(text: &str, before: Option<u8>) -> usize {
    let in_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if text.starts_with("//") {
        text.find('\n').unwrap_or(text.len())
    } else if text.starts_with("/*") {
        block_comment(text)
    } else if text.starts_with('"') {
        quoted(text, b'"')
    } else if !in_word && (text.starts_with('r') || text.starts_with("br")) {
        raw_string(text)
    } else if text.starts_with('\'') && is_char(text) {
        quoted(text, b'\'')
    } else {
        0
    }
}

fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match &text.as_bytes()[at..text.len().min(at + 2)] {
            b"/*" => (depth, at) = (depth + 1, at + 2),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    text.len()
}

fn quoted(text: &str, quote: u8) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

fn raw_string(text: &str) -> usize {
    let body = text.trim_start_matches('b');
    let hashes = body[1..].bytes().take_while(|&byte| byte == b'#').count();
    let open = text.len() - body.len() + 1 + hashes;
    if !text[open..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    text[open + 1..].find(&close).map_or(text.len(), |found| open + 1 + found + close.len())
}

/// A character, not a lifetime.
fn is_char(text: &str) -> bool {
    let mut chars = text.chars().skip(1);
    match chars.next() {
        Some('\\') => true,
        Some(_) => chars.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        Source::new("a.rs", text).idents().iter().map(|ident| ident.name.to_owned()).collect()
    }

    #[test]
    fn comments_and_texts_are_no_code() {
        assert_eq!(names("use a; // b c\n/* d /* e */ f */ g"), ["use", "a", "g"]);
        assert_eq!(names(r#"a("b \" c", 'd', '\'', "e")"#), ["a"]);
        assert_eq!(names("a(r#\"b \" c\"#, br\"d\") for e"), ["a", "for", "e"]);
        assert_eq!(names("fn f<'life>(x: &'life str)"), ["fn", "f", "life", "x", "life", "str"]);
    }

    #[test]
    fn lines_are_kept() {
        let source = Source::new("a.rs", "\"x\ny\"\n// é\nz");
        assert_eq!(
            source.idents().iter().map(|ident| (ident.name, ident.line)).collect::<Vec<_>>(),
            [("z", 4)]
        );
    }
}

//! The corridor: which module may know which crate, and which module which other.

use super::{
    Finding, is_in,
    source::{Ident, Source},
};

/// Crates that one directory of `vswitch/src` keeps to itself.
const DOORS: [(&[&str], &str); 2] = [
    (&["aya", "aya_obj"], "vswitch/src/datapath"),
    (
        &["rtnetlink", "netlink_packet_core", "netlink_packet_route", "netlink_proto", "netlink_sys"],
        "vswitch/src/host",
    ),
];

/// Arrows that would point backwards.
const BACKWARDS: [(&str, &[&str]); 4] = [
    ("config", &["control", "cli", "datapath", "host"]),
    ("datapath", &["control", "cli"]),
    ("host", &["control", "cli", "datapath"]),
    ("control", &["cli"]),
];

/// Checks one source.
pub fn check(source: &Source) -> impl Iterator<Item = Finding> {
    doors(source).into_iter().chain(corridor(source))
}

fn doors(source: &Source) -> Vec<Finding> {
    if !is_in(&source.path, "vswitch/src") {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for ident in source.idents() {
        for (crates, door) in DOORS {
            if crates.contains(&ident.name) && is_crate(ident) && !is_room(&source.path, door) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line: ident.line,
                    text: format!("only `{door}` may use `{}`; add what you need there", ident.name),
                });
            }
        }
    }
    findings
}

fn corridor(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (room, forbidden) in BACKWARDS {
        if !is_room(&source.path, &format!("vswitch/src/{room}")) {
            continue;
        }
        for (name, line) in modules(source) {
            if forbidden.contains(&name) {
                findings.push(Finding {
                    path: source.path.clone(),
                    line,
                    text: format!(
                        "`{room}` may not use `{name}`; the arrows of the corridor run the other way"
                    ),
                });
            }
        }
    }
    findings
}

/// A module is a directory or a file of that name.
fn is_room(path: &str, room: &str) -> bool {
    is_in(path, room) || path == format!("{room}.rs")
}

/// True for the first segment of a path, or a crate named in `use`.
fn is_crate(ident: Ident<'_>) -> bool {
    let before = ident.before.trim_end();
    let after = ident.after.trim_start();
    let first = !before.ends_with('.') && (!before.ends_with("::") || is_absolute(before));
    first && (after.starts_with("::") || last_word(before) == "use")
}

/// `::aya` names a crate, `x::aya` does not.
fn is_absolute(before: &str) -> bool {
    let before = before.trim_end_matches(':').trim_end();
    !before.ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '>')
        || ["use", "as", "in", "return"].contains(&last_word(before))
}

fn last_word(text: &str) -> &str {
    text.rsplit(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()
}

/// The modules of the own crate that a source names: `crate::x` and `crate::{x, y::z}`.
fn modules(source: &Source) -> Vec<(&str, usize)> {
    let idents = source.idents();
    let mut found = Vec::new();
    for (at, ident) in idents.iter().enumerate() {
        let Some(path) = (ident.name == "crate").then(|| ident.after.trim_start()) else {
            continue;
        };
        let Some(path) = path.strip_prefix("::").map(str::trim_start) else {
            continue;
        };
        let following = &idents[at + 1..];
        if let Some(group) = path.strip_prefix('{') {
            let end = group_end(group);
            let tail = group.len() - end;
            let inside = following.iter().take_while(|ident| ident.after.len() >= tail);
            found.extend(
                inside.filter(|ident| depth(group, ident) == 0).map(|ident| (ident.name, ident.line)),
            );
        } else {
            found.extend(following.first().map(|ident| (ident.name, ident.line)));
        }
    }
    found
}

/// Where the group that is open at the start of the text closes.
fn group_end(group: &str) -> usize {
    let mut depth = 0;
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    group.len()
}

/// 0 for the first segment of an entry of the group, more for everything behind or inside it.
fn depth(group: &str, ident: &Ident<'_>) -> usize {
    let upto = &group[..group.len() - ident.after.len() - ident.name.len()];
    let open = upto.matches('{').count() - upto.matches('}').count();
    open + usize::from(upto.trim_end().ends_with("::")) + usize::from(last_word(upto.trim_end()) == "as")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        check(&Source::new(path, text)).map(|finding| finding.text).collect()
    }

    #[test]
    fn only_datapath_imports_aya() {
        for text in ["use aya::maps::Array;", "fn f(x: aya::Ebpf) {}", "use ::aya::Ebpf;", "use aya as bpf;"]
        {
            assert_eq!(findings("vswitch/src/control/mod.rs", text).len(), 1, "{text}");
            assert_eq!(findings("vswitch/src/datapath/mod.rs", text).len(), 0, "{text}");
            assert_eq!(findings("vswitch-common/src/pod.rs", text).len(), 0, "{text}");
        }
        for text in
            ["// aya::maps", "let aya = 1;", "x.aya::<u8>()", "crate::aya::x()", "use aya_log::EbpfLogger;"]
        {
            assert_eq!(findings("vswitch/src/control/mod.rs", text).len(), 0, "{text}");
        }
    }

    #[test]
    fn only_host_imports_netlink() {
        let text = "use rtnetlink::Handle;\nuse netlink_packet_route::link::LinkMessage;";
        assert_eq!(findings("vswitch/src/datapath/mod.rs", text).len(), 2);
        assert_eq!(findings("vswitch/src/host/link.rs", text).len(), 0);
        assert_eq!(findings("vswitch/src/host.rs", text).len(), 0);
    }

    #[test]
    fn no_arrow_points_backwards() {
        assert_eq!(findings("vswitch/src/datapath/a.rs", "use crate::control::Plan;").len(), 1);
        assert_eq!(findings("vswitch/src/host/a.rs", "use crate::{name::IfName, datapath};").len(), 1);
        assert_eq!(
            findings("vswitch/src/config/a.rs", "use crate::{\n host::{x},\n datapath::y,\n};").len(),
            2
        );
        assert_eq!(findings("vswitch/src/config.rs", "fn f() { crate::cli::print() }").len(), 1);
        assert_eq!(findings("vswitch/src/control/a.rs", "use crate::{config, datapath, host};").len(), 0);
        assert_eq!(
            findings("vswitch/src/host/a.rs", "use crate::{name::{host, cli}, x::control}; use y::cli;")
                .len(),
            0
        );
    }

    #[test]
    fn the_line_is_that_of_the_name() {
        let source = Source::new("vswitch/src/host/a.rs", "//! a\nuse crate::{\n    name,\n    cli,\n};\n");
        assert_eq!(check(&source).map(|finding| finding.line).collect::<Vec<_>>(), [4]);
    }
}

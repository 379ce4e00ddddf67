//! The table of docs/bridge-parity.md is whole.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs, process::Command};

/// Headings of the table, and the command whose options are below each.
const SECTIONS: [(&str, &[&str]); 7] = [
    ("bridge link set", &["bridge", "link", "help"]),
    ("bridge fdb", &["bridge", "fdb", "help"]),
    ("bridge vlan", &["bridge", "vlan", "help"]),
    ("bridge mdb", &["bridge", "mdb", "help"]),
    ("bridge vni", &["bridge", "vni", "help"]),
    ("ip link ... type bridge", &["ip", "link", "help", "bridge"]),
    ("ip link ... type bridge_slave", &["ip", "link", "help", "bridge_slave"]),
];
/// Words of a help text that are no options: what it is about, and values.
const NO_OPTIONS: [&str; 15] = [
    "usage",
    "set",
    "bridge",
    "link",
    "fdb",
    "vlan",
    "mdb",
    "vni",
    "bridge_slave",
    "on",
    "off",
    "vepa",
    "veb",
    "to",
    "where",
];

/// Whatever the installed iproute2 can set has a row, under its own heading.
#[test]
fn every_option_of_iproute2_has_its_row() {
    let table = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/bridge-parity.md")).unwrap();
    for (heading, command) in SECTIONS {
        let section = table.split("\n## ").find(|section| section.lines().next() == Some(heading));
        let section = section.unwrap_or_else(|| panic!("there is no heading `{heading}`"));
        // All options of an object at once, where none of them is there.
        if section.contains("and all of their options") {
            continue;
        }
        let options = options(command);
        assert!(options.len() > 3, "{command:?} tells no options: {options:?}");
        let known: BTreeSet<&str> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .flat_map(|row| row.split(" | ").next().unwrap_or_default().split(['`', ',', ' ']))
            .collect();
        let missing: Vec<&String> =
            options.iter().filter(|option| !known.contains(option.as_str())).collect();
        assert!(missing.is_empty(), "`{heading}` has no rows for {missing:?}");
    }
}

/// The words in small letters of a help text: values are in capitals.
fn options(command: &[&str]) -> BTreeSet<String> {
    let output = Command::new(command[0]).args(&command[1..]).output().unwrap();
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    text
        // `[no]static` is both.
        .replace("[no]", "")
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.')
        .filter(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        .filter(|word| word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'))
        .filter(|word| !NO_OPTIONS.contains(word))
        .map(str::to_owned)
        .collect()
}

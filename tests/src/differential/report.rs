//! What is compared, and how a difference is told.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::Bytes;

use crate::{iproute::bridge_json, topology::Lan};

/// The frames of each (destination, source), in the order of their arrival.
fn by_flow(frames: &[Bytes]) -> BTreeMap<&[u8], VecDeque<&Bytes>> {
    let mut flows: BTreeMap<&[u8], VecDeque<&Bytes>> = BTreeMap::new();
    for frame in frames {
        flows.entry(&frame[..12]).or_default().push_back(frame);
    }
    flows
}

/// Frames of one source to one destination must arrive in the order in which they were sent; others may overtake
/// each other, as IEEE 802.1Q (6.5.3) allows.
///
/// # Panics
/// When a station got something else on one side than on the other.
pub fn same_frames(expected: &[Bytes], found: &[Bytes], what: &dyn Fn() -> String) {
    let (mut expected, mut found) = (by_flow(expected), by_flow(found));
    let flows: BTreeSet<&[u8]> = expected.keys().chain(found.keys()).copied().collect();
    for flow in flows {
        let expected = expected.remove(flow).unwrap_or_default();
        let found = found.remove(flow).unwrap_or_default();
        if expected != found {
            let first = expected.iter().zip(&found).position(|(one, other)| one != other);
            let first = first.unwrap_or(expected.len().min(found.len()));
            let head = |frames: &VecDeque<&Bytes>| {
                let frame = frames.get(first);
                frame.map(|frame| format!("{} bytes {:02x?}", frame.len(), &frame[..frame.len().min(32)]))
            };
            panic!(
                "{}\nflow {flow:02x?}: {} frames on the bridge, {} on the switch; the first difference is frame {first}:\n\
                 bridge {:?}\nswitch {:?}",
                what(),
                expected.len(),
                found.len(),
                head(&expected),
                head(&found),
            );
        }
    }
}

/// Both know the same addresses behind the same ports, for the same reason.
///
/// # Panics
/// When they do not.
pub fn same_addresses(reference: &Lan, subject: &Lan, what: &dyn Fn() -> String) {
    let (reference, subject) = (addresses(reference), addresses(subject));
    let only = |one: &BTreeSet<Known>, other: &BTreeSet<Known>| -> Vec<Known> {
        one.difference(other).cloned().collect()
    };
    assert!(
        reference == subject,
        "{}\nthe FDBs differ: only the bridge has {:?}, only the switch has {:?}",
        what(),
        only(&reference, &subject),
        only(&subject, &reference)
    );
}

/// An address, the port without its first letter, and the kind.
type Known = (String, String, String);

/// The addresses that a side knows, but for those of the ports' own devices.
fn addresses(lan: &Lan) -> BTreeSet<Known> {
    let rows = match lan.kind {
        crate::topology::Kind::Vswitch => lan.cli().rows(&["fdb", "list", &lan.name]),
        crate::topology::Kind::Bridge => bridge_json(&["fdb", "show", "br", &lan.name]),
    };
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    rows.iter()
        .filter_map(|row| {
            let (port, kind) = match lan.kind {
                crate::topology::Kind::Vswitch => (text(&row["port"]), text(&row["kind"])),
                crate::topology::Kind::Bridge if row["master"] == lan.name.as_str() => {
                    (text(&row["ifname"]), kind_on_bridge(row)?.to_owned())
                }
                crate::topology::Kind::Bridge => return None,
            };
            (kind != "local").then(|| (text(&row["mac"]), port[1..].to_owned(), kind))
        })
        .collect()
}

/// What the switch calls it.
fn kind_on_bridge(row: &serde_json::Value) -> Option<&'static str> {
    let has = |flag: &str| row["flags"].as_array().is_some_and(|flags| flags.iter().any(|one| one == flag));
    match row["state"].as_str() {
        Some("permanent") => None,
        // The switch's static addresses never move; the bridge's do not if they are sticky as well.
        Some("static") => Some("static"),
        _ if has("sticky") => Some("sticky"),
        _ => Some("dynamic"),
    }
}

//! Counters of a switch, and whether they add up.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::vswitch::Cli;

/// The counters of one port as `port list --json` shows them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Frames in.
    pub rx_frames: u64,
    /// Of these, sent to one port.
    pub forwarded: u64,
    /// Of these, sent to all eligible ports.
    pub flooded: u64,
    /// Of these, handed to the host.
    pub local: u64,
    /// Of these, questions that the switch answered itself.
    pub answered: u64,
    /// Copies for mirror sessions out.
    pub mirrored: u64,
    /// Frames and copies out.
    pub tx_frames: u64,
    /// Of the frames in, those that went nowhere, by reason.
    pub drops: BTreeMap<String, u64>,
    /// Copies that could not go out, by reason.
    pub tx_drops: BTreeMap<String, u64>,
}

impl Counters {
    fn parse(value: &Value) -> Self {
        let number = |name: &str| {
            value[name].as_u64().unwrap_or_else(|| panic!("counter `{name}` is missing in {value}"))
        };
        let reasons = |name: &str| {
            let map = value[name].as_object().unwrap_or_else(|| panic!("`{name}` is missing in {value}"));
            map.iter()
                .map(|(word, count)| (word.clone(), count.as_u64().expect("a count")))
                .filter(|(_, count)| *count > 0)
                .collect()
        };
        Self {
            rx_frames: number("rx_frames"),
            forwarded: number("forwarded"),
            flooded: number("flooded"),
            local: number("local"),
            answered: number("answered"),
            mirrored: number("mirrored"),
            tx_frames: number("tx_frames"),
            drops: reasons("drops"),
            tx_drops: reasons("tx_drops"),
        }
    }

    /// How often frames in were dropped for that reason.
    pub fn dropped(&self, word: &str) -> u64 {
        self.drops.get(word).copied().unwrap_or(0)
    }
}

/// The counters of all ports of a switch, by the name of the port.
pub type Snapshot = BTreeMap<String, Counters>;

/// Reads the counters, and checks that every frame in ended in exactly one of them.
///
/// # Panics
/// When they do not add up.
#[track_caller]
pub fn counters(cli: &Cli, switch: &str) -> Snapshot {
    let snapshot: Snapshot = cli
        .rows(&["port", "list", switch])
        .iter()
        .map(|row| (row["port"].as_str().expect("port").to_owned(), Counters::parse(&row["counters"])))
        .collect();
    for (port, counters) in &snapshot {
        let Counters { forwarded, flooded, local, answered, drops, .. } = counters;
        let ended = forwarded + flooded + local + answered + drops.values().sum::<u64>();
        assert_eq!(counters.rx_frames, ended, "port `{port}` lost count: {counters:?}");
    }
    snapshot
}

/// Everything that helps to understand a failure.
pub fn dump(cli: &Cli, switch: &str) -> String {
    [["port", "list", switch], ["fdb", "list", switch]]
        .map(|arguments| {
            let output = cli.run(&arguments);
            format!("--- {}\n{}{}", output.command, output.stdout, output.stderr)
        })
        .concat()
}

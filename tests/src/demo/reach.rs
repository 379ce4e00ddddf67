//! Who reaches whom: every pair of stations, both ways.

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use anyhow::Result;

use super::{
    ping::ping,
    screen,
    tap_echo::{self, TapEcho},
};
use crate::sandbox::NetNs;

/// How long one ping waits for its answer.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a pair has until the first answer: interfaces have just come up.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// Pings of which the fastest is shown, once a first one has resolved the address.
const MEASURED: u32 = 5;

/// Somebody on the switch.
#[derive(Clone, Copy, Debug)]
pub enum Station<'a> {
    /// The stack of a named network namespace.
    Namespace {
        /// Its name.
        name: &'a str,
        /// Its address on the switch.
        address: Ipv4Addr,
    },
    /// The stack of the namespace in which the demo runs, behind the host port.
    Host {
        /// Its address on the switch.
        address: Ipv4Addr,
    },
    /// The program behind the tap.
    Tap(&'a TapEcho),
}

impl Station<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Namespace { name, .. } => name,
            Self::Host { .. } => "host",
            Self::Tap(_) => "tap",
        }
    }

    fn address(&self) -> Ipv4Addr {
        match *self {
            Self::Namespace { address, .. } | Self::Host { address } => address,
            Self::Tap(_) => tap_echo::ADDRESS,
        }
    }

    fn ping(&self, target: Ipv4Addr) -> Result<Option<Duration>> {
        match *self {
            Self::Namespace { name, .. } => NetNs::open(name)?.run(|| best(|| ping(target, PATIENCE)))?,
            Self::Host { .. } => best(|| ping(target, PATIENCE)),
            Self::Tap(echo) => best(|| echo.ping(target, PATIENCE)),
        }
    }
}

/// Pings every pair and shows the round trip times. Gives the pairs without an answer.
///
/// # Errors
/// When a ping cannot even be sent.
pub fn show(stations: &[Station<'_>]) -> Result<Vec<String>> {
    let mut missing = Vec::new();
    let mut rows = Vec::new();
    for from in stations {
        let mut row = vec![from.name().to_owned()];
        for to in stations {
            if from.address() == to.address() {
                row.push("·".to_owned());
                continue;
            }
            screen::progress(&format!("{} → {}", from.name(), to.name()));
            let time = from.ping(to.address())?;
            if time.is_none() {
                missing.push(format!("{} → {}", from.name(), to.name()));
            }
            row.push(time.map_or_else(|| "none".to_owned(), |time| format!("{} µs", time.as_micros())));
        }
        rows.push(row);
    }
    screen::progress("");
    let header: Vec<&str> = ["from \\ to"].into_iter().chain(stations.iter().map(Station::name)).collect();
    screen::table(&header, &rows);
    let pairs = stations.len() * stations.len().saturating_sub(1);
    screen::note(&format!(
        "{} of {pairs} pairs answer; the best round trip of {MEASURED}.",
        pairs - missing.len()
    ));
    Ok(missing)
}

/// Tries until the first answer, then gives the best of some; `None` when there is never one.
fn best(ping: impl Fn() -> Result<Option<Duration>>) -> Result<Option<Duration>> {
    let deadline = Instant::now() + FIRST_ANSWER;
    while ping()?.is_none() {
        if Instant::now() > deadline {
            return Ok(None);
        }
    }
    let mut best = None;
    for _ in 0..MEASURED {
        best = best.into_iter().chain(ping()?).min();
    }
    Ok(best)
}

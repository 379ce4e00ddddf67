//! Follows the slow path of a switch.

use std::{fs::File, sync::mpsc, time::Duration};

use nix::fcntl::{Flock, FlockArg};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use vswitch_common::{drop::DropReason, link::ShutReason, port::Slot};

use super::{
    ControlError, Opened,
    opened::{Links, links},
    ruled::{self, Ruled},
};
use crate::{
    config::acl::Action,
    datapath::{DatapathError, Store, journal::Journal},
    host::{Host, Uninterrupted},
    name::SwitchName,
};

/// How often to look whether the switch is still there.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Something that happened on the slow path.
#[derive(Debug, Serialize, PartialEq, Eq)]
#[serde(tag = "event", rename_all = "lowercase")]
pub enum Event {
    /// An address was learned.
    Learned {
        /// The address.
        mac: String,
        /// Behind which port.
        port: String,
    },
    /// An address moved.
    Moved {
        /// The address.
        mac: String,
        /// From which port.
        from: String,
        /// To which port.
        to: String,
    },
    /// An address begins to move more often than a port's guard allows.
    Flapping {
        /// The address.
        mac: String,
        /// From which port.
        from: String,
        /// To which port, whose guard it is.
        to: String,
    },
    /// A guard has shut a port.
    Shut {
        /// The port.
        port: String,
        /// Why.
        reason: &'static str,
        /// For how many seconds; 0 = until the user opens it.
        seconds: u32,
    },
    /// A rule with `log` matched a frame: told once for each flow and cache period.
    Ruled(Box<Ruled>),
    /// A frame was dropped.
    Dropped {
        /// The port by which it came.
        port: String,
        /// Why.
        reason: &'static str,
    },
}

/// Follows a switch until a signal ends it. Events go to `tell`, which ends it as well by returning `false`.
///
/// The program tells nothing as long as nobody listens: the level is in the switch's configuration, raised here and
/// lowered again at the end.
pub async fn follow(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    drops: bool,
    mut tell: impl FnMut(&Event) -> bool,
) -> Result<(), ControlError> {
    let level = if drops { log::Level::Debug } else { log::Level::Info };
    let opened = Opened::find(store, name)?;
    let (sender, records) = mpsc::channel();
    let mut journal = Journal::open(&opened.directory, Sink(sender))?;
    // There is one log for a switch, and one level: two listeners would take each other's events.
    let directory = File::open(&opened.directory)
        .map_err(|source| DatapathError::state("open", &opened.directory, source))?;
    let _listener = Flock::lock(directory, FlockArg::LockExclusiveNonblock)
        .map_err(|_| ControlError::Followed(name.to_string()))?;
    set_level(store, name, level as u8)?;
    let result = listen(host, &opened, &mut journal, &records, &mut tell).await;
    if store.has(name) {
        set_level(store, name, 0)?;
    }
    result
}

async fn listen(
    host: &Host,
    opened: &Opened,
    journal: &mut Journal<Sink>,
    records: &mpsc::Receiver<String>,
    tell: &mut impl FnMut(&Event) -> bool,
) -> Result<(), ControlError> {
    let failed = |source| DatapathError::state("watch the log of", &opened.directory, source);
    let mut interrupted = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(failed)?;
    loop {
        tokio::select! {
            _ = interrupted.recv() => return Ok(()),
            _ = terminated.recv() => return Ok(()),
            // Nothing tells that a switch is removed, and its log outlives it as long as somebody reads it.
            () = tokio::time::sleep(LOOK_AGAIN) => {
                if !opened.directory.exists() {
                    return Ok(());
                }
            }
            flushed = journal.flush() => {
                flushed?;
                let links = links(host).await?;
                for record in records.try_iter() {
                    if let Some(event) = parse(&record, |slot| port_name(opened, &links, slot), |id| ruled::rule(opened, id))
                        && !tell(&event)
                    {
                        return Ok(());
                    }
                }
            }
        }
    }
}

fn set_level(store: &Store, name: &SwitchName, level: u8) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find_anywhere(store, name)?;
    opened.config.log_level = level;
    Ok(opened.tables.set_config(&opened.config)?)
}

fn port_name(opened: &Opened, links: &Links, slot: Slot) -> String {
    let ifindex = opened.tables.port(slot).map_or(0, |port| port.ifindex);
    links.get(&ifindex).map_or_else(|| format!("#{slot}"), |link| link.name.clone())
}

/// Reads a record of `vswitch-ebpf/src/program/journal.rs`.
fn parse(
    record: &str,
    port: impl Fn(Slot) -> String,
    rule: impl Fn(u16) -> Option<(usize, Action)>,
) -> Option<Event> {
    let words: Vec<&str> = record.split_whitespace().collect();
    let name = |word: &str| word.parse().ok().map(&port);
    match words.as_slice() {
        ["learned", mac, slot] => Some(Event::Learned { mac: (*mac).to_owned(), port: name(slot)? }),
        ["moved", mac, from, to] => {
            Some(Event::Moved { mac: (*mac).to_owned(), from: name(from)?, to: name(to)? })
        }
        ["flapping", mac, from, to] => {
            Some(Event::Flapping { mac: (*mac).to_owned(), from: name(from)?, to: name(to)? })
        }
        ["shut", slot, reason, seconds] => Some(Event::Shut {
            port: name(slot)?,
            reason: ShutReason::from_u8(reason.parse().ok()?).word(),
            seconds: seconds.parse().ok()?,
        }),
        ["ruled", counter, frame] => Some(Event::Ruled(Box::new(ruled::parse(counter, frame, port, rule)?))),
        ["dropped", slot, reason] => {
            let reason = DropReason::ALL.get(reason.parse::<usize>().ok()?)?;
            Some(Event::Dropped { port: name(slot)?, reason: reason.word() })
        }
        _ => None,
    }
}

/// Where aya-log puts its records.
struct Sink(mpsc::Sender<String>);

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        // The receiver lives as long as the journal that this sink belongs to.
        let _sent = self.0.send(record.args().to_string());
    }

    fn flush(&self) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_understood() {
        let port = |slot: Slot| format!("p{slot}");
        assert_eq!(
            parse("learned 02:00:00:00:00:01 3", port, |_| None),
            Some(Event::Learned { mac: "02:00:00:00:00:01".to_owned(), port: "p3".to_owned() })
        );
        assert_eq!(
            parse("moved 02:00:00:00:00:01 3 4", port, |_| None),
            Some(Event::Moved {
                mac: "02:00:00:00:00:01".to_owned(),
                from: "p3".to_owned(),
                to: "p4".to_owned()
            })
        );
        assert_eq!(
            parse("dropped 3 1", port, |_| None),
            Some(Event::Dropped { port: "p3".to_owned(), reason: "invalid-source" })
        );
        assert_eq!(
            parse("shut 3 1 60", port, |_| None),
            Some(Event::Shut { port: "p3".to_owned(), reason: "bpdu", seconds: 60 })
        );
        for nonsense in ["", "learned", "dropped 3 99", "dropped x 1"] {
            assert_eq!(parse(nonsense, port, |_| None), None, "{nonsense}");
        }
    }
}

//! Access control lists: listed and changed.
//!
//! A change writes the whole list to the bank that is not in force, and then flips the bank: no frame meets half a list,
//! and a refused or killed command changes nothing.

use std::collections::BTreeSet;

use serde::Serialize;
use vswitch_common::{
    acl::{ACL_COUNTERS, AclSpec, Direction, field},
    port::{Slot, flag},
};

use super::{
    ControlError, Opened,
    opened::{Links, links},
};
use crate::{
    config::acl::{Action, Rule, compile::compile, direction, text},
    datapath::Store,
    host::{Host, Uninterrupted},
    name::SwitchName,
};

/// A rule, for people and scripts.
#[derive(Debug, Serialize)]
pub struct RuleView {
    /// Its place in the list, from 1.
    pub number: usize,
    /// The port; `None` for all.
    pub port: Option<String>,
    /// `in` or `out`.
    pub direction: &'static str,
    /// `allow`, `deny` or `count`.
    pub action: &'static str,
    /// Whether `vswitch monitor` tells of it.
    pub log: bool,
    /// The rule in words, as `acl load` reads it.
    pub rule: String,
    /// Frames that it matched.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The rules of a switch.
pub async fn list(store: &Store, host: &Host, name: &SwitchName) -> Result<Vec<RuleView>, ControlError> {
    let opened = Opened::find(store, name)?;
    let links = links(host).await?;
    let mut views = Vec::new();
    for (index, spec) in current(&opened)?.iter().enumerate() {
        let port = (spec.slot != 0).then(|| port_name(&opened, &links, spec.slot)).transpose()?;
        let count = opened.tables.acl_count(spec.counter)?;
        views.push(RuleView {
            number: index + 1,
            direction: direction(spec).word(),
            action: Action::from_u8(spec.action).word(),
            log: spec.fields & field::LOG != 0,
            rule: text(port.as_deref(), spec),
            port,
            frames: count.frames,
            bytes: count.bytes,
        });
    }
    Ok(views)
}

/// Adds a rule before the one with number `at`, or at the end.
pub async fn add(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    rule: &Rule,
    at: Option<usize>,
) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let spec = resolve(&opened, &links(host).await?, rule)?;
    let mut specs = current(&opened)?;
    let place = at.map_or(specs.len(), |number| number.saturating_sub(1));
    if place > specs.len() {
        return Err(ControlError::NoRule { switch: name.to_string(), number: place + 1, rules: specs.len() });
    }
    specs.insert(place, spec);
    replace(&mut opened, specs)
}

/// Removes a rule.
pub fn del(store: &Store, name: &SwitchName, number: usize) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let mut specs = current(&opened)?;
    if number == 0 || number > specs.len() {
        return Err(ControlError::NoRule { switch: name.to_string(), number, rules: specs.len() });
    }
    specs.remove(number - 1);
    replace(&mut opened, specs)
}

/// Replaces all rules. The numbers are those of the lines that they come from.
pub async fn load(
    store: &Store,
    host: &Host,
    name: &SwitchName,
    rules: &[(usize, Rule)],
) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let links = links(host).await?;
    let mut specs = Vec::new();
    for (line, rule) in rules {
        let located = |error| ControlError::Line { line: *line, error: Box::new(error) };
        specs.push(resolve(&opened, &links, rule).map_err(located)?);
    }
    replace(&mut opened, specs)
}

/// Removes all rules, and tells how many there were.
pub fn flush(store: &Store, name: &SwitchName) -> Result<usize, ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let count = current(&opened)?.len();
    replace(&mut opened, Vec::new())?;
    Ok(count)
}

/// Removes the rules of ports that are being removed.
pub fn forget_ports(opened: &mut Opened, slots: &BTreeSet<Slot>) -> Result<(), ControlError> {
    let mut specs = current(opened)?;
    let before = specs.len();
    specs.retain(|spec| !slots.contains(&spec.slot));
    if specs.len() == before { Ok(()) } else { replace(opened, specs) }
}

/// The flags that rules give a port.
pub fn flags(opened: &Opened, slot: Slot) -> Result<u32, ControlError> {
    Ok(flags_of(&current(opened)?, slot))
}

/// The rules in force.
pub fn current(opened: &Opened) -> Result<Vec<AclSpec>, ControlError> {
    if opened.tables.config()?.acl_masks == 0 {
        return Ok(Vec::new());
    }
    // A reader takes no lock: if the bank has been flipped meanwhile, what was read is of two lists.
    loop {
        let before = opened.tables.config()?;
        let specs = opened.tables.acl_specs(before.acl_bank)?;
        if opened.tables.config()?.acl_bank == before.acl_bank {
            return Ok(specs);
        }
    }
}

/// The flags that mark ports whose frames are looked at.
const FLAGS: u32 = flag::ACL_IN | flag::ACL_OUT;

fn flags_of(specs: &[AclSpec], slot: Slot) -> u32 {
    specs.iter().filter(|spec| spec.slot == 0 || spec.slot == slot).fold(0, |flags, spec| {
        flags
            | match direction(spec) {
                Direction::In => flag::ACL_IN,
                Direction::Out => flag::ACL_OUT,
            }
    })
}

/// Puts a list in force.
fn replace(opened: &mut Opened, mut specs: Vec<AclSpec>) -> Result<(), ControlError> {
    let old = current(opened)?;
    let fresh = number_counters(&old, &mut specs);
    opened.config = opened.tables.config()?;
    let bank = 1 - opened.config.acl_bank.min(1);
    let table = compile(&specs, bank)?;
    for counter in fresh {
        opened.tables.acl_clear_count(counter)?;
    }
    opened.tables.acl_fill(bank, &specs, &table.masks, &table.rules)?;
    // Ports are marked before the list is in force and unmarked after, so that both lists are met whole.
    mark(opened, |flags, slot| flags | flags_of(&specs, slot))?;
    opened.config = opened.tables.config()?;
    opened.config.acl_bank = bank;
    // Without the last one, which only ends the search.
    opened.config.acl_masks = u16::try_from(table.masks.len() - 1).unwrap_or(u16::MAX);
    opened.tables.set_config(&opened.config)?;
    mark(opened, |flags, slot| flags & !FLAGS | flags_of(&specs, slot))
}

fn mark(opened: &mut Opened, flags: impl Fn(u32, Slot) -> u32) -> Result<(), ControlError> {
    for mut row in opened.rows()? {
        let wanted = flags(row.port.flags, row.slot);
        // A port that is half made or half removed has none.
        if wanted != row.port.flags && row.record.pending == 0 {
            row.port.flags = wanted;
            opened.tables.set_port(row.slot, &row.port)?;
        }
    }
    Ok(())
}

/// What a new rule has until it gets a counter.
const NO_COUNTER: u16 = u16::MAX;

/// Gives new rules counters that neither list has, and tells which: those that stay keep theirs.
fn number_counters(old: &[AclSpec], specs: &mut [AclSpec]) -> Vec<u16> {
    let taken: BTreeSet<u16> = old.iter().chain(&*specs).map(|spec| spec.counter).collect();
    let mut free = (0..u16::try_from(ACL_COUNTERS).unwrap_or(NO_COUNTER)).filter(|id| !taken.contains(id));
    let mut fresh = Vec::new();
    for spec in specs.iter_mut().filter(|spec| spec.counter == NO_COUNTER) {
        // There are twice as many as rules, so one is left for all that the compiler will not refuse.
        spec.counter = free.next().unwrap_or(0);
        fresh.push(spec.counter);
    }
    fresh
}

fn resolve(opened: &Opened, links: &Links, rule: &Rule) -> Result<AclSpec, ControlError> {
    let slot = match &rule.port {
        Some(port) => opened.row(port, links)?.slot,
        None => 0,
    };
    Ok(AclSpec { slot, counter: NO_COUNTER, ..rule.spec })
}

fn port_name(opened: &Opened, links: &Links, slot: Slot) -> Result<String, ControlError> {
    let row = opened.rows()?.into_iter().find(|row| row.slot == slot);
    Ok(row.map_or_else(
        || format!("#{slot}"),
        |row| opened.device(&row, links).map_or(row.made_as(), |link| &link.name).to_owned(),
    ))
}

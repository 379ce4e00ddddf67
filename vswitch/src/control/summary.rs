//! All of a switch, summed up.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{
    ControlError, fdb,
    port::list::{self, Counters, PortView},
    switch::{self, SwitchView},
};
use crate::{datapath::Store, host::Host, name::SwitchName};

/// A switch, its ports and what went through, for people and scripts.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Summary {
    /// The switch itself.
    #[serde(flatten)]
    pub switch: SwitchView,
    /// How many ports are in which state; nothing if they are in another namespace than the caller.
    pub port_states: BTreeMap<&'static str, usize>,
    /// How many addresses are of which kind.
    pub address_kinds: BTreeMap<&'static str, usize>,
    /// What went through all of its ports.
    pub counters: Counters,
    /// The ports themselves.
    #[serde(skip)]
    pub port_views: Vec<PortView>,
}

/// Sums up a switch.
pub async fn summary(store: &Store, host: &Host, name: &SwitchName) -> Result<Summary, ControlError> {
    let switch = switch::show(store, name)?;
    // Devices in another namespace cannot be asked how they are.
    let port_views = if switch.here { list::list(store, host, name, None).await? } else { Vec::new() };
    let mut counters = Counters::default();
    let mut port_states = BTreeMap::new();
    for view in &port_views {
        counters.add(&view.counters);
        *port_states.entry(view.state).or_default() += 1;
    }
    let mut address_kinds = BTreeMap::new();
    for kind in fdb::kinds(store, name)? {
        *address_kinds.entry(kind).or_default() += 1;
    }
    Ok(Summary { switch, port_states, address_kinds, counters, port_views })
}

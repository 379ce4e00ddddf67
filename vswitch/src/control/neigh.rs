//! Known neighbours: for which questions the switch has the answer.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv6Addr},
};

use serde::Serialize;
use vswitch_common::{
    addr::MacAddr,
    config::switch_flag,
    neigh::{NeighEntry, NeighKey, NeighKind},
    port::Slot,
};

use super::{ControlError, Opened, fdb::check_station, opened::links};
use crate::{
    datapath::{DatapathError, Store},
    host::{Host, Uninterrupted},
    name::SwitchName,
};

/// A neighbour, for people and scripts.
#[derive(Debug, Serialize)]
pub struct NeighView {
    /// The network address.
    pub ip: String,
    /// Who has it.
    pub mac: String,
    /// The VLAN; 0 = any in which the station is known.
    pub vlan: u16,
    /// `static` or `port`.
    pub kind: &'static str,
    /// The port from which it is known.
    pub port: Option<String>,
    /// Whether the neighbour is a router.
    pub router: bool,
}

/// A neighbour to be.
#[derive(Clone, Copy, Debug)]
pub struct Neigh {
    /// The network address.
    pub ip: IpAddr,
    /// Who has it.
    pub mac: MacAddr,
    /// The VLAN; 0 = any in which the station is known.
    pub vlan: u16,
    /// Whether the neighbour is a router.
    pub is_router: bool,
    /// Whether another one may have had the address before.
    pub replaces: bool,
}

/// All neighbours of a switch.
pub async fn list(store: &Store, host: &Host, name: &SwitchName) -> Result<Vec<NeighView>, ControlError> {
    let opened = Opened::find(store, name)?;
    let links = links(host).await?;
    let rows = opened.rows()?;
    let port = |slot: Slot| {
        let row = rows.iter().find(|row| row.slot == slot)?;
        Some(opened.device(row, &links).map_or(row.made_as(), |link| &link.name).to_owned())
    };
    let view = |(key, entry): &(NeighKey, NeighEntry)| NeighView {
        ip: ip_of(key).to_string(),
        mac: entry.mac.to_string(),
        vlan: key.vlan,
        kind: word(NeighKind::from_u8(entry.kind)),
        port: port(entry.slot),
        router: entry.is_router != 0,
    };
    Ok(opened.tables.neighs()?.iter().map(view).collect())
}

/// Adds a neighbour, or replaces who is known by its address.
pub fn add(store: &Store, name: &SwitchName, neigh: &Neigh) -> Result<(), ControlError> {
    check_station(neigh.mac)?;
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    check_vlan(&opened, neigh.vlan)?;
    let key = key_of(neigh.ip, neigh.vlan)?;
    if !neigh.replaces
        && let Some(entry) = opened.tables.neigh(&key)?
    {
        let (ip, mac) = (neigh.ip.to_string(), entry.mac.to_string());
        return Err(ControlError::NeighExists { switch: name.to_string(), ip, mac });
    }
    let entry = NeighEntry {
        mac: neigh.mac,
        kind: NeighKind::Static as u8,
        is_router: u8::from(neigh.is_router),
        slot: 0,
        reserved: 0,
    };
    Ok(opened.tables.set_neigh(&key, &entry)?)
}

/// Removes a neighbour.
pub fn del(store: &Store, name: &SwitchName, ip: IpAddr, vlan: u16) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    let key = key_of(ip, vlan)?;
    if opened.tables.remove_neighs(|candidate, _| *candidate == key)? == 0 {
        let vlan = if vlan == 0 { String::new() } else { format!(" in VLAN {vlan}") };
        return Err(ControlError::NoNeigh { switch: name.to_string(), ip: ip.to_string(), vlan });
    }
    Ok(())
}

/// Removes the neighbours that the user has added, or those of a VLAN; what is known from ports stays.
pub fn flush(store: &Store, name: &SwitchName, vlan: Option<u16>) -> Result<usize, ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, name)?;
    Ok(opened.tables.remove_neighs(|key, entry| {
        NeighKind::from_u8(entry.kind) == NeighKind::Static && vlan.is_none_or(|vlan| vlan == key.vlan)
    })?)
}

/// Notes the addresses of a port's interface. It is only a convenience: what is known already comes first, and when there
/// is no room for more, questions are flooded as without it.
pub fn note_port(opened: &mut Opened, slot: Slot, mac: MacAddr, ips: &[IpAddr]) -> Result<(), ControlError> {
    if !mac.is_station() {
        return Ok(());
    }
    for ip in ips {
        let Ok(key) = key_of(*ip, 0) else { continue };
        if opened.tables.neigh(&key)?.is_some() {
            continue;
        }
        let entry = NeighEntry { mac, kind: NeighKind::Port as u8, is_router: 0, slot, reserved: 0 };
        match opened.tables.set_neigh(&key, &entry) {
            Ok(()) | Err(DatapathError::NeighsFull) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Ports are gone, and with them what was known from them.
pub fn forget_ports(opened: &mut Opened, slots: &BTreeSet<Slot>) -> Result<(), ControlError> {
    opened.tables.remove_neighs(|_, entry| slots.contains(&entry.slot))?;
    Ok(())
}

fn key_of(ip: IpAddr, vlan: u16) -> Result<NeighKey, ControlError> {
    let what = match ip {
        _ if ip.is_multicast() => "a multicast address",
        _ if ip.is_unspecified() => "the unspecified address",
        _ if ip.is_loopback() => "a loopback address",
        IpAddr::V4(v4) if v4.is_broadcast() => "the broadcast address",
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => "an IPv4 address in disguise",
        IpAddr::V4(v4) => return Ok(NeighKey::v4(v4.octets(), vlan)),
        IpAddr::V6(v6) => return Ok(NeighKey::v6(v6.octets(), vlan)),
    };
    Err(ControlError::NotNeigh { ip: ip.to_string(), what })
}

fn ip_of(key: &NeighKey) -> IpAddr {
    let v6 = Ipv6Addr::from(key.address);
    v6.to_ipv4_mapped().map_or(IpAddr::V6(v6), IpAddr::V4)
}

fn check_vlan(opened: &Opened, vlan: u16) -> Result<(), ControlError> {
    if vlan == 0 || opened.config.has(switch_flag::VLAN_FILTERING) {
        Ok(())
    } else {
        Err(ControlError::NeighVlan { vlan, switch: opened.name.to_string() })
    }
}

fn word(kind: NeighKind) -> &'static str {
    match kind {
        NeighKind::Static => "static",
        NeighKind::Port => "port",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_addresses_of_one_station() {
        for wrong in [
            "224.0.0.1",
            "0.0.0.0",
            "127.0.0.1",
            "255.255.255.255",
            "ff02::1",
            "::",
            "::1",
            "::ffff:10.0.0.1",
        ] {
            let error = key_of(wrong.parse().expect("address"), 0).expect_err(wrong).to_string();
            assert!(error.contains("; "), "{error}");
        }
    }

    proptest! {
        #[test]
        fn addresses_come_back(bits: u128, four: Option<u32>, vlan in 0u16..4095) {
            let ip = four.map_or(IpAddr::V6(bits.into()), |four| IpAddr::V4(four.into()));
            if let Ok(key) = key_of(ip, vlan) {
                prop_assert_eq!((ip_of(&key), key.vlan), (ip, vlan));
            }
        }
    }
}

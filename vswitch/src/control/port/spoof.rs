//! The addresses bound to a port, between the words and the maps.

use std::net::Ipv6Addr;

use vswitch_common::{
    acl::{BindingKey, octets_of, words_of},
    addr::MacAddr,
    port::{PortConfig, Slot, flag},
};

use crate::{
    config::port::spoof::{Bound, SpoofCheck},
    control::{ControlError, Opened},
};

/// Refuses a check without anything that it could be made against.
pub fn check(opened: &Opened, slot: Slot, name: &str, asked: &SpoofCheck) -> Result<(), ControlError> {
    if *asked == SpoofCheck::On && read(opened, slot)?.macs.is_empty() {
        return Err(ControlError::Unbound(name.to_owned()));
    }
    Ok(())
}

/// Carries out what is asked for. What of it is in the port's row is changed in `port` only, which the caller writes.
pub fn write(
    opened: &mut Opened,
    slot: Slot,
    port: &mut PortConfig,
    asked: &SpoofCheck,
) -> Result<(), ControlError> {
    match asked {
        SpoofCheck::Keep => return Ok(()),
        SpoofCheck::Off => {
            port.flags &= !flag::SPOOF_CHECK;
            return Ok(());
        }
        SpoofCheck::On => {}
        SpoofCheck::Bind(bound) => bind(opened, slot, bound)?,
    }
    port.flags |= flag::SPOOF_CHECK;
    Ok(())
}

/// Binds exactly these addresses to a port, whether they are checked or not.
pub fn bind(opened: &mut Opened, slot: Slot, bound: &Bound) -> Result<(), ControlError> {
    let macs = bound.macs.iter().map(|mac| BindingKey::mac(slot, *mac));
    let ips = bound.ips.iter().map(|ip| BindingKey::ip(slot, words_of(ip.octets())));
    let any = (!bound.ips.is_empty()).then(|| BindingKey::any_ip(slot));
    Ok(opened.tables.set_bindings(slot, &macs.chain(ips).chain(any).collect::<Vec<_>>())?)
}

/// What is bound to a port, sorted.
pub fn read(opened: &Opened, slot: Slot) -> Result<Bound, ControlError> {
    let mut bound = Bound::default();
    for key in opened.tables.bindings(slot)? {
        if key.is_mac != 0 {
            bound.macs.push(MacAddr::from_bits(key.address[0]));
        } else if key != BindingKey::any_ip(slot) {
            bound.ips.push(Ipv6Addr::from(octets_of(key.address)));
        }
    }
    bound.macs.sort_by_key(|mac| mac.octets());
    bound.ips.sort_unstable();
    Ok(bound)
}

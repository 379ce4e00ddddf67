//! Rules and bindings: what looks at more of a frame than its addresses and VLAN.

use vswitch_common::{
    drop::DropReason,
    port::{PortConfig, Slot},
};

use super::skb::Skb;

/// Whether a frame may enter by a port.
#[inline(always)]
pub fn enter(_skb: &Skb, _slot: Slot, _port: &PortConfig, _vlan: u16) -> Result<(), DropReason> {
    Ok(())
}

/// Whether a frame may leave by a port.
#[inline(always)]
pub fn leave(_skb: &Skb, _slot: Slot, _port: &PortConfig, _vlan: u16) -> Result<(), DropReason> {
    Ok(())
}

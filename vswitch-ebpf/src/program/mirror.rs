//! Copies for mirror sessions.

use vswitch_common::{config::SwitchConfig, port::PortConfig};

use super::skb::Skb;

/// A frame came in by a port.
#[inline(always)]
pub fn received(_skb: &Skb, _port: &PortConfig, _vlan: u16, _config: &SwitchConfig) {}

/// A frame, with the tag that it leaves with, leaves by a port.
#[inline(always)]
pub fn sent(_skb: &Skb, _port: &PortConfig, _vlan: u16, _config: &SwitchConfig) {}

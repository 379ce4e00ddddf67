//! Questions for addresses (ARP, neighbour discovery) that the switch can answer.

use vswitch_common::{
    addr::MacAddr,
    config::{SwitchConfig, switch_flag},
    fdb::FdbKey,
    neigh::{NeighEntry, NeighKey},
    port::{PortConfig, Slot, flag},
    vlan::{TPID_8021AD, TPID_8021Q},
};
use vswitch_ebpf::{
    frame::{Frame, HEADER_LEN},
    stage::neigh::{
        ARP_LEN, Asked, ND_LEN, OPTION_LEN, OPTIONS_LEN, Reply, arp, arp_asker, arp_reply, arp_target, nd,
        nd_asker, nd_options_len, nd_reply, nd_target, reply,
    },
};

use super::{helper, skb::Skb, tables};

const ETHERTYPE_ARP: u16 = 0x0806;
const ETHERTYPE_IPV6: u16 = 0x86dd;
/// Where the network protocol begins.
const PAYLOAD: usize = HEADER_LEN as usize;

// What a frame is for the switch: plain numbers, see `vlan::REFUSED`.

/// Nothing to be answered.
pub const OTHER: u32 = 0;
/// It is spared to ports with `neigh-suppress`.
pub const KNOWN: u32 = 1;
/// The same, and it is answered.
pub const ANSWERED: u32 = 2;

/// Looks at a frame that is about to be flooded. The tag of a switch that does not look at tags is payload, and so is one
/// that is not beside the frame.
#[inline(never)]
pub fn ask(skb: &Skb, slot: Slot, vlan: u16) -> u32 {
    let (Some(config), Some(ingress)) = (tables::config(), tables::port(u32::from(slot))) else {
        return OTHER;
    };
    // What comes from a port that is spared questions comes from who answers them.
    if ingress.has(flag::NEIGH_SUPPRESS) {
        return OTHER;
    }
    match skb.ethertype(protocol(config)) {
        Some(ETHERTYPE_ARP) => ask_arp(skb, ingress, vlan, config),
        Some(ETHERTYPE_IPV6) if config.has(switch_flag::NEIGH_SUPPRESS) => ask_nd(skb, ingress, vlan, config),
        _ => OTHER,
    }
}

/// Turns a frame for which [`ask`] said [`ANSWERED`] into the answer; `false` if there is no memory, or the answer is not
/// known any more.
#[inline(never)]
pub fn answer(skb: &Skb, vlan: u16) -> bool {
    // SAFETY: `raw` is the program's context.
    match u16::from_be(unsafe { (*skb.raw()).protocol } as u16) {
        ETHERTYPE_ARP => answer_arp(skb, vlan),
        ETHERTYPE_IPV6 => answer_nd(skb, vlan),
        _ => false,
    }
}

/// The protocol of the tag beside a frame whose payload is looked at; 0 = none.
#[inline(always)]
fn protocol(config: &SwitchConfig) -> u16 {
    match config.flags & (switch_flag::VLAN_FILTERING | switch_flag::VLAN_8021AD) {
        switch_flag::VLAN_FILTERING => TPID_8021Q,
        0 | switch_flag::VLAN_8021AD => 0,
        _ => TPID_8021AD,
    }
}

#[inline(always)]
fn ask_arp(skb: &Skb, ingress: &PortConfig, vlan: u16, config: &SwitchConfig) -> u32 {
    let mut message = [0; ARP_LEN];
    if !helper::load(skb.raw(), PAYLOAD, &mut message) {
        return OTHER;
    }
    match arp(&message, config.has(switch_flag::NEIGH_SUPPRESS)) {
        Asked::Nothing => OTHER,
        Asked::Announced => KNOWN,
        Asked::Address if is_for_one(skb, config) => OTHER,
        Asked::Address => decide(&NeighKey::v4(arp_target(&message), vlan), true, ingress, config),
    }
}

#[inline(always)]
fn ask_nd(skb: &Skb, ingress: &PortConfig, vlan: u16, config: &SwitchConfig) -> u32 {
    let mut packet = [0; ND_LEN];
    if !helper::load(skb.raw(), PAYLOAD, &mut packet) {
        return OTHER;
    }
    match nd(&packet) {
        Asked::Nothing => OTHER,
        // Nobody looks at IPv6 unless there is somebody to be spared.
        Asked::Announced => KNOWN,
        Asked::Address => {
            if is_for_one(skb, config) || nd_from(skb, &packet).is_zero() {
                return OTHER;
            }
            decide(&NeighKey::v6(nd_target(&packet), vlan), false, ingress, config)
        }
    }
}

/// Whether a question is only for the station to which it is sent, as from Linux 6.15 on: who asks one station wants to know
/// whether it is there.
#[inline(always)]
fn is_for_one(skb: &Skb, config: &SwitchConfig) -> bool {
    let is_direct = skb.ethernet().is_some_and(|ethernet| !ethernet.destination.is_group());
    is_direct && config.has(switch_flag::NEIGH_SUPPRESS)
}

/// Whether the answer is known, and the station that it names is as well.
#[inline(always)]
fn decide(key: &NeighKey, is_arp: bool, ingress: &PortConfig, config: &SwitchConfig) -> u32 {
    let Some(neigh) = find(key) else { return OTHER };
    let Some(entry) = tables::fdb_get(FdbKey::new(neigh.mac, key.vlan)) else {
        return OTHER;
    };
    let Some((port, link)) = tables::rows(entry.slot) else {
        return OTHER;
    };
    if !entry.is_alive(port, link) || entry.is_expired(helper::jiffies(), config.ageing_jiffies) {
        return OTHER;
    }
    match reply(is_arp, ingress, port, config.has(switch_flag::NEIGH_SUPPRESS)) {
        Reply::None => OTHER,
        Reply::Spare => KNOWN,
        Reply::Answer => ANSWERED,
    }
}

/// Who has an address in a VLAN, or in any.
#[inline(always)]
fn find(key: &NeighKey) -> Option<&'static NeighEntry> {
    let found = tables::neigh(key);
    if found.is_some() || key.vlan == 0 {
        return found;
    }
    tables::neigh(&NeighKey { vlan: 0, ..*key })
}

/// Who asks by a solicitation; zero if it is malformed.
#[inline(always)]
fn nd_from(skb: &Skb, packet: &[u8; ND_LEN]) -> MacAddr {
    let (Some(ethernet), Some(length)) = (skb.ethernet(), nd_options_len(packet)) else {
        return MacAddr::ZERO;
    };
    let mut options = [0; OPTIONS_LEN];
    for (index, unit) in options.chunks_exact_mut(OPTION_LEN).enumerate() {
        if index * OPTION_LEN >= usize::from(length) {
            break;
        }
        let Some(unit) = unit.first_chunk_mut::<OPTION_LEN>() else { break };
        if !helper::load(skb.raw(), PAYLOAD + ND_LEN + index * OPTION_LEN, unit) {
            return MacAddr::ZERO;
        }
    }
    nd_asker(packet, &options, length, ethernet.source).unwrap_or(MacAddr::ZERO)
}

#[inline(always)]
fn answer_arp(skb: &Skb, vlan: u16) -> bool {
    let mut message = [0; ARP_LEN];
    if !helper::load(skb.raw(), PAYLOAD, &mut message) {
        return false;
    }
    let Some(neigh) = find(&NeighKey::v4(arp_target(&message), vlan)) else {
        return false;
    };
    let asker = arp_asker(&message);
    arp_reply(&mut message, neigh.mac);
    helper::set_length(skb.raw(), PAYLOAD + ARP_LEN)
        && address(skb, asker, neigh.mac)
        && helper::store(skb.raw(), PAYLOAD, &message)
}

#[inline(always)]
fn answer_nd(skb: &Skb, vlan: u16) -> bool {
    let mut packet = [0; ND_LEN];
    if !helper::load(skb.raw(), PAYLOAD, &mut packet) {
        return false;
    }
    let asker = nd_from(skb, &packet);
    let Some(neigh) = find(&NeighKey::v6(nd_target(&packet), vlan)) else {
        return false;
    };
    if asker.is_zero() {
        return false;
    }
    let option = nd_reply(&mut packet, neigh.mac, neigh.is_router != 0);
    helper::set_length(skb.raw(), PAYLOAD + ND_LEN + OPTION_LEN)
        && address(skb, asker, neigh.mac)
        && helper::store(skb.raw(), PAYLOAD, &packet)
        && helper::store(skb.raw(), PAYLOAD + ND_LEN, &option)
}

/// Writes the addresses of the frame.
#[inline(always)]
fn address(skb: &Skb, to: MacAddr, from: MacAddr) -> bool {
    helper::store(skb.raw(), 0, &to.octets()) && helper::store(skb.raw(), 6, &from.octets())
}

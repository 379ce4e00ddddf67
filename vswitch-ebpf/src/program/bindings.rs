//! Addresses bound to a port (`spoof-check`).

use aya_ebpf::bindings::__sk_buff;
use vswitch_common::acl::{AclKey, BindingKey};
use vswitch_ebpf::stage::{
    bindings::{Claim, claim, is_own_link_local, names_another},
    headers::Bytes,
};

use super::{skb::Skb, tables};

/// Types of ICMPv6: neighbour solicitation and advertisement.
const SOLICITATION: u8 = 135;
const ADVERTISEMENT: u8 = 136;

/// Whether the frame in the scratch row speaks for an address that is not its port's.
#[inline(never)]
pub fn spoofed() -> bool {
    let Some(scratch) = tables::acl_scratch() else {
        return false;
    };
    let key = &scratch.key;
    if !tables::is_bound(&BindingKey::mac(key.slot(), key.source())) {
        return true;
    }
    match claim(key) {
        Claim::Nothing => false,
        Claim::Never => true,
        Claim::Address => is_foreign(key, [key.words[2], key.words[3]]),
    }
}

/// Whether an address of IP is not the port's. A port without any is bound to its MAC address only.
#[inline(always)]
fn is_foreign(key: &AclKey, address: [u64; 2]) -> bool {
    tables::is_bound(&BindingKey::any_ip(key.slot()))
        && !tables::is_bound(&BindingKey::ip(key.slot(), address))
}

/// Whether the neighbour message in the scratch row names a MAC address other than its frame's, or advertises
/// an address that is not its port's. Its options are not part of what is cached, so each of these frames is looked at.
#[inline(never)]
pub fn neighbour_lies(raw: *mut __sk_buff) -> bool {
    let Some(scratch) = tables::acl_scratch() else {
        return false;
    };
    let skb = Skb::new(raw);
    let at = scratch.packet.at;
    let source = scratch.key.source();
    let chunk = &mut scratch.packet.chunk;
    if !skb.read::<8>(at, chunk) {
        return true;
    }
    let kind = chunk.0[0];
    if kind == ADVERTISEMENT {
        if !skb.read::<24>(at, chunk) {
            return true;
        }
        let target = chunk.v6(8);
        if !is_own_link_local(target, source) && is_foreign(&scratch.key, target) {
            return true;
        }
    }
    let options = if kind == SOLICITATION || kind == ADVERTISEMENT { 24 } else { 8 };
    names_another(&skb, at + options, source, chunk)
}

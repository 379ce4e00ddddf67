//! Whose address a frame speaks for.

use vswitch_common::{
    acl::{AclKey, layer},
    addr::MacAddr,
};

use super::headers::{ARP, Bytes, Chunk, ICMPV6, IPV4, IPV6, UDP};

/// `fe80::`, its first half as in [`AclKey`].
const LINK_LOCAL: u64 = u64::from_ne_bytes([0xfe, 0x80, 0, 0, 0, 0, 0, 0]);
/// `::ffff:0.0.0.0`, its second half.
const V4_ANY: u64 = 0xffff_0000;
/// Ports of DHCP: from client to server.
const DHCP: (u16, u16) = (68, 67);
/// IPv6 options that name a MAC address: of the source, of the target.
const LINK_OPTIONS: [u8; 2] = [1, 2];
/// More options than any stack sends in such a message.
const MAX_OPTIONS: u32 = 6;

/// What a frame says about who has sent it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Claim {
    /// Nothing beyond its source MAC address.
    Nothing = 0,
    /// That the sender has the source address in its key.
    Address = 1,
    /// Something that nobody may say.
    Never = 2,
}

/// What a frame claims.
#[inline(always)]
pub fn claim(key: &AclKey) -> Claim {
    let layers = key.layers();
    let address = [key.words[2], key.words[3]];
    match key.ethertype() {
        ARP if layers & layer::ARP_FOREIGN != 0 => Claim::Never,
        // A probe for an address that the sender does not have yet (RFC 5227).
        ARP if is_any_v4(address) => Claim::Nothing,
        // What no receiver takes for a packet.
        IPV4 | IPV6 if layers & layer::IP == 0 => Claim::Nothing,
        // Who has no address yet asks for one.
        IPV4 if is_any_v4(address) => {
            let asks = layers & layer::PORTS != 0 && key.protocol() == UDP && key.ports() == DHCP;
            if asks { Claim::Nothing } else { Claim::Never }
        }
        // Duplicate address detection, and the reports that go with it.
        IPV6 if address[0] | address[1] == 0 => {
            if key.protocol() == ICMPV6 {
                Claim::Nothing
            } else {
                Claim::Never
            }
        }
        IPV6 if is_own_link_local(address, key.source()) => Claim::Nothing,
        ARP | IPV4 | IPV6 => Claim::Address,
        // More tags than are looked behind.
        _ if layers & layer::OPAQUE != 0 => Claim::Never,
        _ => Claim::Nothing,
    }
}

#[inline(always)]
fn is_any_v4([high, low]: [u64; 2]) -> bool {
    high == 0 && low == V4_ANY
}

/// Whether it is the link-local address that is made of the MAC address (RFC 4291, appendix A).
#[inline(always)]
pub fn is_own_link_local([high, low]: [u64; 2], mac: MacAddr) -> bool {
    let [a, b, c, d, e, f] = mac.octets();
    high == LINK_LOCAL && low == u64::from_ne_bytes([a ^ 2, b, c, 0xff, 0xfe, d, e, f])
}

/// The MAC address that a neighbour message names, if it is another than the frame's source, makes it a lie. The options
/// begin at `at`.
#[inline(always)]
pub fn names_another(bytes: &impl Bytes, at: u32, source: MacAddr, option: &mut Chunk) -> bool {
    let mut at = at;
    for _ in 0..MAX_OPTIONS {
        if !bytes.read::<8>(at, option) {
            return false;
        }
        let [kind, units, a, b, c, d, e, f, ..] = option.0;
        if units == 0 {
            // No receiver accepts it (RFC 4861, 6.1.1).
            return true;
        }
        if LINK_OPTIONS.contains(&kind) && MacAddr::new([a, b, c, d, e, f]).to_bits() != source.to_bits() {
            return true;
        }
        at += u32::from(units) * 8;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(ethertype: u16, source: [u64; 2], ports: (u16, u16), protocol: u8, layers: u8) -> AclKey {
        let mut key = AclKey::EMPTY;
        key.set_link(MacAddr::new([2, 0, 0, 0, 0, 1]), MacAddr::BROADCAST, 0, ethertype);
        key.words[2] = source[0];
        key.words[3] = source[1];
        key.set_transport(ports, (protocol, 0), layers, 0);
        key
    }

    #[test]
    fn who_has_no_address_yet_may_ask_for_one() {
        let any = [0, V4_ANY];
        let known = layer::IP | layer::PORTS;
        assert_eq!(claim(&key(IPV4, any, DHCP, UDP, known)), Claim::Nothing);
        assert_eq!(claim(&key(IPV4, any, (67, 68), UDP, known)), Claim::Never);
        assert_eq!(claim(&key(IPV4, any, DHCP, 6, known)), Claim::Never);
        assert_eq!(claim(&key(ARP, any, (0, 0), 0, 0)), Claim::Nothing);
        assert_eq!(claim(&key(IPV6, [0, 0], (0, 0), ICMPV6, layer::IP)), Claim::Nothing);
        assert_eq!(claim(&key(IPV6, [0, 0], (0, 0), UDP, layer::IP)), Claim::Never);
    }

    #[test]
    fn addresses_are_claimed() {
        let some = [0, V4_ANY | 5 << 32];
        assert_eq!(claim(&key(IPV4, some, (0, 0), 1, layer::IP)), Claim::Address);
        assert_eq!(claim(&key(ARP, some, (0, 0), 0, 0)), Claim::Address);
        assert_eq!(claim(&key(ARP, some, (0, 0), 0, layer::ARP_FOREIGN)), Claim::Never);
        assert_eq!(claim(&key(IPV6, [1, 1], (0, 0), 6, layer::IP)), Claim::Address);
        assert_eq!(claim(&key(0x88cc, [0; 2], (0, 0), 0, 0)), Claim::Nothing);
        assert_eq!(claim(&key(0x8100, [0; 2], (0, 0), 0, layer::OPAQUE)), Claim::Never);
    }

    #[test]
    fn the_own_link_local_address_is_free() {
        let own = |low| [LINK_LOCAL, u64::from_ne_bytes(low)];
        let mac = MacAddr::new([2, 0, 0, 0, 0, 1]);
        assert!(is_own_link_local(own([0, 0, 0, 0xff, 0xfe, 0, 0, 1]), mac));
        assert!(!is_own_link_local(own([0, 0, 0, 0xff, 0xfe, 0, 0, 2]), mac));
        assert!(!is_own_link_local(own([2, 0, 0, 0xff, 0xfe, 0, 0, 1]), mac));
    }

    #[test]
    fn options_that_name_another_are_found_wherever_they_are() {
        let mac = MacAddr::new([2, 0, 0, 0, 0, 1]);
        let own = [1, 1, 2, 0, 0, 0, 0, 1];
        let other = [2, 1, 2, 0, 0, 0, 0, 2];
        let nonce = [14, 1, 9, 9, 9, 9, 9, 9];
        let ask =
            |options: &[[u8; 8]]| names_another(&options.concat().as_slice(), 0, mac, &mut Chunk::default());
        assert!(!ask(&[]) && !ask(&[own]) && !ask(&[nonce, own]));
        assert!(ask(&[other]) && ask(&[nonce, own, other]));
        assert!(ask(&[nonce; 7]), "more than are looked at");
        assert!(ask(&[[14, 0, 0, 0, 0, 0, 0, 0]]));
    }
}

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

impl Bytes for &[u8] {
    fn read<const N: usize>(&self, offset: u32, to: &mut Chunk) -> bool {
        let start = offset as usize;
        match self.get(start..start + N) {
            Some(bytes) => {
                to.0[..N].copy_from_slice(bytes);
                true
            }
            None => false,
        }
    }
}

const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

fn frame(parts: &[&[u8]]) -> Vec<u8> {
    [&MACS[..], &parts.concat()].concat()
}

fn key(frame: &[u8]) -> (AclKey, u32) {
    let mut key = AclKey::EMPTY;
    let at = read(&frame, VLAN_IN_FRAME, 0, 7, &mut key);
    (key, at)
}

fn v4(protocol: u8, fragment: u16, options: usize) -> Vec<u8> {
    let [high, low] = fragment.to_be_bytes();
    let words = 5 + u8::try_from(options).unwrap();
    let mut header =
        [&[0x45, 0, 0, 40, 0, 1, high, low, 64, protocol, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2][..]].concat();
    header[0] = 0x40 | words;
    header.extend(std::vec![1; options * 4]);
    header
}

fn v6(next: u8) -> Vec<u8> {
    let mut header = std::vec![0x60, 0, 0, 0, 0, 0, next, 64];
    for last in [1, 2] {
        header.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
    }
    header
}

const TCP_HEADER: [u8; 20] = [0, 80, 0x12, 0x34, 0, 0, 0, 0, 0, 0, 0, 0, 0x50, 0x12, 0, 0, 0, 0, 0, 0];

#[test]
fn tcp_over_ipv4_with_options_and_tags() {
    for options in [0, 3, 10] {
        for tags in 0..3 {
            let tag = [[0x81, 0, 0xe0, 5], [0x81, 0, 0, 6]].concat();
            let bytes = frame(&[&tag[..tags * 4], &[8, 0], &v4(6, 0, options), &TCP_HEADER]);
            let (key, at) = key(&bytes);
            assert_eq!(at as usize, 14 + tags * 4 + 20 + options * 4);
            assert_eq!((key.ethertype(), key.protocol(), key.ports()), (IPV4, 6, (80, 0x1234)));
            assert_eq!(key.layers(), layer::IP | layer::PORTS | layer::TCP);
            assert_eq!(key.words[6] >> 40 & 0xff, 0x12, "SYN and ACK");
            assert_eq!(key.words[0] >> 48, if tags == 0 { 0 } else { 5 });
            assert_eq!(key.slot(), 7);
        }
    }
}

#[test]
fn three_tags_hide_a_frame() {
    let (key, at) = key(&frame(&[&[0x81, 0, 0, 5, 0x81, 0, 0, 6, 0x81, 0, 0, 7, 8, 0], &v4(6, 0, 0)]));
    assert_eq!((key.ethertype(), key.layers(), at), (0x8100, layer::OPAQUE, 0));
}

#[test]
fn fragments() {
    let first = key(&frame(&[&[8, 0], &v4(17, 0x2000, 0), &TCP_HEADER])).0;
    assert_eq!(first.layers(), layer::IP | layer::PORTS | layer::FRAGMENT);
    let later = key(&frame(&[&[8, 0], &v4(17, 5, 0), &TCP_HEADER])).0;
    assert_eq!((later.layers(), later.ports()), (layer::IP | layer::FRAGMENT | layer::LATER, (0, 0)));
    let overwrites = key(&frame(&[&[8, 0], &v4(6, 1, 0), &TCP_HEADER])).0;
    assert_ne!(overwrites.layers() & layer::OPAQUE, 0);
    let tiny = key(&frame(&[&[8, 0], &v4(6, 0x2000, 0), &TCP_HEADER[..8]])).0;
    assert_ne!(tiny.layers() & layer::OPAQUE, 0);
    let whole = key(&frame(&[&[8, 0], &v4(6, 0x4000, 0), &TCP_HEADER[..8]])).0;
    assert_eq!(whole.layers(), layer::IP, "do not fragment; cut short");
}

#[test]
fn extension_headers_are_walked() {
    let hop = [60, 0, 0, 0, 0, 0, 0, 0];
    let destination = [43, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let routing = [44, 0, 0, 0, 0, 0, 0, 0];
    let fragment = |offset: u16, next| [&[next, 0][..], &offset.to_be_bytes(), &[0, 0, 0, 1]].concat();
    let all = |fragment: &[u8]| {
        key(&frame(&[&[0x86, 0xdd], &v6(0), &hop, &destination, &routing, fragment, &TCP_HEADER])).0
    };
    let known = layer::IP | layer::PORTS | layer::TCP;
    assert_eq!(all(&fragment(0, 6)).layers(), known, "an atomic fragment is whole");
    assert_eq!(all(&fragment(1, 6)).layers(), known | layer::FRAGMENT);
    let later = all(&fragment(80 << 3, 6));
    assert_eq!((later.layers(), later.protocol()), (layer::IP | layer::FRAGMENT | layer::LATER, 6));
    assert_ne!(all(&fragment(1 << 3, 6)).layers() & layer::OPAQUE, 0);
    let authentication = [6, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    assert_eq!(key(&frame(&[&[0x86, 0xdd], &v6(51), &authentication, &TCP_HEADER])).0.ports(), (80, 0x1234));
    let chain = |length| {
        let mut headers = [60, 0, 0, 0, 0, 0, 0, 0].repeat(length);
        headers[(length - 1) * 8] = 6;
        key(&frame(&[&[0x86, 0xdd], &v6(60), &headers, &TCP_HEADER])).0.layers()
    };
    assert_eq!((chain(1), chain(8)), (known, known));
    assert_eq!(chain(9), layer::IP | layer::OPAQUE);
    assert_eq!(key(&frame(&[&[0x86, 0xdd], &v6(0), &hop[..7]])).0.layers(), layer::IP | layer::OPAQUE);
}

#[test]
fn arp_is_read() {
    let mut header = [0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1, 0, 0, 0, 0, 0, 0, 10, 0, 0, 2];
    let (own, _) = key(&frame(&[&[8, 6], &header]));
    assert_eq!((own.layers(), own.words[3] >> 32), (0, u64::from(u32::from_ne_bytes([10, 0, 0, 1]))));
    header[13] = 9;
    assert_eq!(key(&frame(&[&[8, 6], &header])).0.layers(), layer::ARP_FOREIGN);
    assert_eq!(key(&frame(&[&[8, 6], &header[..27]])).0.layers(), layer::ARP_FOREIGN);
}

proptest! {
    #[test]
    fn no_bytes_panic(kind in prop::sample::select(std::vec![IPV4, IPV6, ARP, 0x8100, 0x88a8, 0x88b5]),
                      start in prop::sample::select(std::vec![0x45_u8, 0x4f, 0x60, 0x00]),
                      rest in prop::collection::vec(any::<u8>(), 0..150)) {
        let bytes = frame(&[&kind.to_be_bytes(), &[start], &rest]);
        let (key, at) = key(&bytes);
        prop_assert!(key.layers() & layer::PORTS == 0 || at as usize + 4 <= bytes.len());
        prop_assert!(key.layers() & layer::LATER == 0 || key.layers() & (layer::PORTS | layer::FRAGMENT) == layer::FRAGMENT);
    }
}

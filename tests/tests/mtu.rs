//! A frame that is too long for the port by which it would leave does not leave by it.
#![expect(clippy::unwrap_used, reason = "a test")]

use bytes::Bytes;
use vswitch_tests::{
    frame::{CTAG, Frame, STAG, station},
    on_both,
    port::{Offload, Port},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(known_unicast, flooded, tagged, jumbo, segments_that_fit, segments_that_do_not_fit);

/// Stations 0 and 2 may send long frames, station 1 has the usual MTU.
fn lan(sandbox: &Sandbox, kind: Kind) -> Lan<'_> {
    let mut lan = Lan::empty(sandbox, kind, "lab", 'a');
    for mtu in ["9000", "1500", "9000"] {
        lan.add(&["--mtu", mtu]);
    }
    lan.introduce();
    lan
}

/// As the bridge, every port leaves room for a tag of four bytes, whether there is one or not
/// (`is_skb_forwardable` in Linux).
const FITS: [(usize, bool); 6] =
    [(1500, true), (1501, true), (1504, true), (1505, false), (1508, false), (9000, false)];

fn known_unicast(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    // To the station's own address, and to one behind it: the two may take different ways in the kernel.
    lan.expect(1, &Frame::broadcast(station(0x701)), &[0, 2]);
    for to in [lan.mac(1), station(0x701)] {
        // Twice, so that the verdict of the cache is tried as well.
        for sequence in 0..2 {
            for (payload, fits) in FITS {
                let frame = Frame::new(lan.mac(0), to).payload(payload).sequence(sequence);
                lan.expect(0, &frame, if fits { &[1] } else { &[] });
            }
        }
    }
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("too-big"), 12, "{}", lan.dump());
    }
}

/// Each port has its own MTU: a copy that is too long for one still leaves by the others.
fn flooded(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    for (payload, fits) in FITS {
        for frame in [Frame::broadcast(lan.mac(0)), Frame::new(lan.mac(0), station(0x7ff))] {
            lan.expect(0, &frame.payload(payload), if fits { &[1, 2] } else { &[2] });
        }
    }
    if kind == Kind::Vswitch {
        let counters = lan.counters().unwrap();
        assert_eq!(counters[lan.port(1)].tx_drops.get("too-big"), Some(&6), "{}", lan.dump());
        assert_eq!(counters[lan.port(2)].tx_drops.len(), 0, "{}", lan.dump());
    }
}

/// The outer tag does not count; an inner one does.
fn tagged(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    for (payload, fits) in FITS.into_iter().filter(|(payload, _)| *payload < 9000) {
        let frame = Frame::new(lan.mac(0), lan.mac(1)).payload(payload);
        lan.expect(0, &frame.clone().tagged(CTAG, 5), if fits { &[1] } else { &[] });
        let fits = fits && payload <= 1500;
        lan.expect(0, &frame.tagged(STAG, 5).tagged(CTAG, 6), if fits { &[1] } else { &[] });
    }
}

fn jumbo(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    for payload in [1500, 1504, 1505, 4096, 8999, 9000] {
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)).payload(payload), &[2]);
        lan.expect(2, &Frame::new(lan.mac(2), lan.mac(0)).payload(payload), &[0]);
    }
}

/// A TCP frame over IPv4, to be cut into segments of that much payload by whoever must.
fn aggregate(lan: &Lan, to: usize, segment: u16, segments: u16) -> (Offload, Bytes) {
    let payload = usize::from(segment) * usize::from(segments);
    let plain = Frame::new(lan.mac(0), lan.mac(to)).ethertype(0x0800).payload(0).build();
    let mut ip = vec![0x45, 0];
    ip.extend(u16::try_from(40 + payload).unwrap().to_be_bytes());
    ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2]);
    let sum = ip.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum::<u32>();
    let sum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
    ip[10..12].copy_from_slice(&sum.to_be_bytes());
    // Ports, sequence, acknowledgement, header of five words, ACK, window; the checksum is the kernel's to complete.
    let tcp = [0x10, 0, 0x20, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 0xff, 0xff, 0, 0, 0, 0];
    let data: Vec<u8> = (0..=255).cycle().take(payload).collect();
    let offload = Offload {
        flags: 1,
        gso_type: 1,
        header_length: 54,
        gso_size: segment,
        checksum_start: 34,
        checksum_offset: 16,
    };
    (offload, [&plain[..], &ip, &tcp, &data].concat().into())
}

/// An aggregate is far longer than the MTU, but what counts is its segments.
fn segments_that_fit(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let sender = Port::open_offload(&lan.stations[0].namespace, "eth0").unwrap();
    for (to, segment, segments) in [(1, 1448, 10), (1, 1460, 40), (2, 1460, 10), (2, 8960, 7), (1, 100, 100)]
    {
        let (offload, frame) = aggregate(&lan, to, segment, segments);
        for _ in 0..3 {
            sender.send_offload(offload, &frame).unwrap();
            lan.expect_arrival(&frame, &[to], &format!("{segments} segments of {segment} to {to}"));
        }
    }
    lan.counters();
}

/// The bridge hands such an aggregate on, hoping that somebody else cuts it; the switch holds each segment to the
/// MTU: an intended difference (docs/differences.md).
fn segments_that_do_not_fit(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let sender = Port::open_offload(&lan.stations[0].namespace, "eth0").unwrap();
    for segment in [1465, 8960] {
        let (offload, frame) = aggregate(&lan, 1, segment, 7);
        sender.send_offload(offload, &frame).unwrap();
        let reached: &[usize] = if kind == Kind::Bridge { &[1] } else { &[] };
        lan.expect_arrival(&frame, reached, &format!("segments of {segment}"));
    }
    if kind == Kind::Vswitch {
        assert_eq!(lan.counters().unwrap()[lan.port(0)].dropped("too-big"), 2, "{}", lan.dump());
    }
}

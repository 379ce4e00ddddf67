//! A switch that is not told about VLANs passes every tag as it is, and all VLANs share one table.
#![expect(clippy::unwrap_used, reason = "a test")]

use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{CTAG, Frame, MULTICAST, STAG, station},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(tags_are_untouched, one_table_for_all_vlans, the_smallest_tagged_frame);

/// The kernel takes the outermost tag out of a frame on its way in, so in the program it is beside the frame; inner
/// ones stay in it.
fn tags() -> [Vec<(u16, u16)>; 9] {
    [
        vec![(CTAG, 1)],
        vec![(CTAG, 4094)],
        vec![(CTAG, 0xe000)],
        vec![(CTAG, 0x1000 | 5)],
        vec![(CTAG, 4095)],
        vec![(STAG, 7)],
        vec![(STAG, 7), (CTAG, 8)],
        vec![(CTAG, 7), (CTAG, 8)],
        vec![(STAG, 0xe007), (STAG, 0), (CTAG, 9)],
    ]
}

fn with(frame: Frame, tags: &[(u16, u16)]) -> Frame {
    tags.iter().fold(frame, |frame, (protocol, control)| frame.tagged(*protocol, *control))
}

fn tags_are_untouched(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    lan.expect(1, &Frame::broadcast(station(0x701)), &[0, 2]);
    for tags in tags() {
        for to in [lan.mac(1), station(0x701)] {
            for sequence in 0..2 {
                lan.expect(0, &with(Frame::new(lan.mac(0), to).sequence(sequence), &tags), &[1]);
            }
        }
        for to in [MacAddr::BROADCAST, MULTICAST, station(0x7ff)] {
            lan.expect(0, &with(Frame::new(lan.mac(0), to), &tags), &[1, 2]);
        }
    }
}

fn one_table_for_all_vlans(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    let wanderer = station(0x701);
    lan.expect(0, &Frame::broadcast(wanderer).tagged(CTAG, 10), &[1, 2]);
    lan.expect(2, &Frame::new(lan.mac(2), wanderer).tagged(CTAG, 20), &[0]);
    lan.expect(2, &Frame::new(lan.mac(2), wanderer), &[0]);
    lan.expect(1, &Frame::broadcast(wanderer).tagged(STAG, 30), &[0, 2]);
    lan.expect(2, &Frame::new(lan.mac(2), wanderer).tagged(CTAG, 10), &[1]);
    assert_eq!(lan.learned().iter().filter(|(mac, _)| *mac == wanderer.to_string()).count(), 1);
}

/// A tag, an ethertype and two bytes. With fewer the kernel drops the frame when it takes the tag out, before anything
/// of bridge or switch sees it (`skb_vlan_untag`).
fn the_smallest_tagged_frame(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.introduce();
    for payload in [2, 3, 28] {
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).tagged(CTAG, 5).payload(payload), &[1]);
        lan.expect(0, &Frame::broadcast(lan.mac(0)).tagged(CTAG, 5).payload(payload), &[1, 2]);
    }
}

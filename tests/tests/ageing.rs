//! An address that is silent for the ageing time is forgotten, with no process alive to do so.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{thread, time::Duration};

use vswitch_tests::{
    frame::Frame,
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

on_both!(silence_is_forgotten, talk_is_remembered, never);

/// The kernel counts in jiffies, so an expiry may be a few ticks late.
const SLACK: Duration = Duration::from_millis(200);

fn silence_is_forgotten(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.set_ageing(1);
    lan.introduce();
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    thread::sleep(Duration::from_secs(1) + SLACK);
    assert_eq!(lan.learned(), [], "expired addresses are not shown");
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1, 2]);
    lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)), &[0]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
}

/// Every frame from a station renews it, also when its verdict is cached.
fn talk_is_remembered(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    lan.set_ageing(2);
    lan.introduce();
    for sequence in 0..30 {
        lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)).sequence(sequence), &[1]);
        lan.expect(1, &Frame::new(lan.mac(1), lan.mac(0)).sequence(sequence), &[0]);
        thread::sleep(Duration::from_millis(60));
    }
    // The third station has been silent since its introduction, longer than the others' renewals were apart.
    thread::sleep(SLACK);
    let known: Vec<_> = [0, 1].map(|n| (lan.mac(n).to_string(), lan.port(n).to_owned())).to_vec();
    assert_eq!(lan.learned(), known, "{}", lan.dump());
}

/// Zero is for ever.
fn never(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, kind, 3);
    // The bridge takes zero as "at once", so there "for ever" is a long time.
    lan.set_ageing(if kind == Kind::Bridge { 1_000_000 } else { 0 });
    lan.introduce();
    thread::sleep(Duration::from_millis(1500));
    assert_eq!(lan.learned().len(), 3, "{}", lan.dump());
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
}

//! The switch against the Linux bridge, frame by frame and change by change: see `vswitch_tests::differential`.
//!
//! `VSWITCH_DIFFERENTIAL_FRAMES` sets how many frames, `VSWITCH_SEED` repeats a run, changes included.

use std::env;

use vswitch_tests::{
    differential::{Plan, knobs::Change},
    topology::{Kind, Lan},
};

/// Two bridges are equal: what the comparison finds is a difference, not noise.
#[test]
fn bridge_and_bridge() {
    Plan::frames(Kind::Bridge, frames() / 5).run();
}

/// They stay equal when their knobs are turned.
#[test]
fn bridge_and_bridge_with_knobs() {
    Plan::knobs(Kind::Bridge, frames() / 5).run();
}

/// One knob at one port, which the frames seldom touch, is a difference that is found.
#[test]
#[should_panic(expected = "the first difference is frame")]
fn a_difference_is_found() {
    let prepare = |subject: &Lan| subject.set_flag(3, "mcast-flood", false);
    Plan { prepare: &prepare, ..Plan::frames(Kind::Bridge, frames() / 5) }.run();
}

/// So is an address that is not learned.
#[test]
#[should_panic(expected = "differ")]
fn a_missing_address_is_found() {
    let prepare = |subject: &Lan| subject.set_flag(3, "learning", false);
    Plan { prepare: &prepare, ..Plan::frames(Kind::Bridge, 10_000) }.run();
}

/// So is a change that one side does not get.
#[test]
#[should_panic(expected = "the first difference is frame")]
fn a_missing_change_is_found() {
    let passes_on = |change: &Change| !change.to_string().contains("=off");
    Plan { passes_on: &passes_on, ..Plan::knobs(Kind::Bridge, frames() / 5) }.run();
}

#[test]
fn bridge_and_vswitch() {
    Plan::frames(Kind::Vswitch, frames() / 2).run();
}

#[test]
fn bridge_and_vswitch_with_knobs() {
    Plan::knobs(Kind::Vswitch, frames()).run();
}

fn frames() -> usize {
    env::var("VSWITCH_DIFFERENTIAL_FRAMES").map_or(60_000, |text| text.parse().expect("a number of frames"))
}

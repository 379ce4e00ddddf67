//! End to end between two namespaces: the switch against the Linux bridge and a direct veth pair, on one CPU.
//!
//! Criterion measures one thing after the other; on a machine whose speed drifts that compares noon with midnight. So
//! this bench has its own loop: rounds in alternating order, then medians and ratios. See README.md.

use std::time::Duration;

use anyhow::Result;
use vswitch_benches::{
    median,
    pair::{Pair, Way},
    stream::{Tcp, Udp, stay_on_one_cpu},
};
use vswitch_tests::sandbox::Sandbox;

const ROUNDS: usize = 15;
const DATAGRAMS: u32 = 50_000;
const ROUND_TRIPS: u32 = 10_000;
const BYTES: usize = 1 << 30;

fn main() -> Result<()> {
    // `cargo test --benches` only asks whether the bench runs.
    let quick = !std::env::args().any(|argument| argument == "--bench");
    let sandbox = Sandbox::enter()?;
    stay_on_one_cpu()?;
    let pairs = Way::ALL.map(|way| Pair::new(&sandbox, way));
    let scale = if quick { 100 } else { 1 };
    let rounds = if quick { 2 } else { ROUNDS };

    println!(
        "one CPU; cubic; static neighbours; IPv6 off; bridge without netfilter hooks, snooping, spanning tree"
    );
    println!("{rounds} rounds in alternating order; median (lowest to highest); ratios are of medians\n");
    let mut udp = Vec::new();
    let mut tcp = Vec::new();
    for pair in &pairs {
        udp.push(Udp::open(pair)?);
        tcp.push(Tcp::open(pair)?);
    }
    report(
        "UDP 64 B, ns/frame",
        DATAGRAMS / scale,
        measure(rounds, |way| udp[way].one_way(DATAGRAMS / scale))?,
    );
    let trips = ROUND_TRIPS / scale;
    report("UDP round trip, ns", trips, measure(rounds, |way| udp[way].round_trips(trips))?);
    let bytes = BYTES / scale as usize;
    let mebibytes = u32::try_from(bytes >> 20)?;
    report("TCP, ns/MiB", mebibytes, measure(rounds, |way| tcp[way].one_way(bytes))?);
    Ok(())
}

/// Samples of each way: A B C, C B A, A B C, ...
fn measure(rounds: usize, mut sample: impl FnMut(usize) -> Result<Duration>) -> Result<[Vec<Duration>; 3]> {
    let mut samples = [const { Vec::new() }; 3];
    for way in 0..samples.len() {
        sample(way)?;
    }
    for round in 0..rounds {
        let mut order = [0, 1, 2];
        if round % 2 == 1 {
            order.reverse();
        }
        for way in order {
            samples[way].push(sample(way)?);
        }
    }
    Ok(samples)
}

fn report(what: &str, units: u32, samples: [Vec<Duration>; 3]) {
    println!("{what}");
    let results = samples.map(median);
    let [(direct, ..), (bridge, ..), _] = results;
    for (way, (middle, lowest, highest)) in Way::ALL.iter().zip(results) {
        let each = |time: Duration| time.as_nanos() / u128::from(units.max(1));
        println!(
            "  {:<12} {:>9} ({} to {})  speed: {:.2} of direct, {:.2} of bridge",
            way.name(),
            each(middle),
            each(lowest),
            each(highest),
            direct.as_secs_f64() / middle.as_secs_f64(),
            bridge.as_secs_f64() / middle.as_secs_f64(),
        );
    }
    println!();
}

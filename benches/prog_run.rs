//! Nanoseconds per frame of the program alone, by `BPF_PROG_TEST_RUN`: no driver, no stack, no wire.
//!
//! Each scenario is compared with the least that a program can do, `bpf_redirect` to a device that it was written for
//! (`vswitch_tests::baseline`), in rounds of alternating order; then criterion follows the scenarios from run to run.

use std::{env, fs, time::Duration};

use anyhow::{Context as _, Result, ensure};
use criterion::Criterion;
use nix::net::if_::if_nametoindex;
use vswitch_benches::stream::stay_on_one_cpu;
use vswitch_common::{addr::MacAddr, fdb::FdbKey, flow::FlowKey, map::FLOW_SLOTS};
use vswitch_tests::{
    baseline::{self, Turn},
    frame::{CTAG, Frame, station},
    prog_run::{Context, Program, Verdict},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

/// Runs of one sample.
const REPEAT: u32 = 100_000;
/// Samples of each scenario that are compared.
const ROUNDS: usize = 101;
/// Stations that speak in turn: four to each slot of the cache, and more entries of the FDB than a CPU's nearest cache holds.
const SOURCES: u16 = 1024;

/// What is timed.
struct Scenario {
    name: String,
    program: Program,
    frame: Vec<u8>,
    context: Context,
    /// Of [`REPEAT`]; copies of floods really leave, which takes its time.
    share: u32,
    /// The scenario that it is compared with, by its place.
    least: usize,
    /// What the difference may be, in nanoseconds.
    target: Option<f64>,
}

impl Scenario {
    /// Nanoseconds per frame.
    fn sample(&self, repeat: u32) -> Result<f64> {
        Ok(self.program.time(&self.frame, &self.context, (repeat / self.share).max(1))?)
    }
}

fn main() -> Result<()> {
    // `cargo test --benches` only asks whether the bench runs.
    let quick = !env::args().any(|argument| argument == "--bench");
    let sandbox = Sandbox::enter()?;
    stay_on_one_cpu()?;
    let lan = Lan::new(&sandbox, Kind::Vswitch, 4);
    lan.introduce();
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1, 2, 3]);
    let mut scenarios = scenarios(&lan)?;
    for (rules, masks, prefix) in [(1, 1, 'b'), (100, 10, 'c'), (4000, 100, 'd')] {
        scenarios.extend(ruled(&sandbox, rules, masks, prefix)?);
    }
    // Nobody listens any more, so that what is flooded costs no more than it must.
    drop(lan);
    compare(&scenarios, if quick { 2 } else { ROUNDS }, if quick { 1000 } else { REPEAT })?;
    let mut criterion = Criterion::default().configure_from_args();
    follow(&mut criterion, &scenarios);
    criterion.final_summary();
    Ok(())
}

/// The octets after `02:00:00:04` are those that [`baseline::rotate`] changes.
fn source(number: u16) -> MacAddr {
    let [low, high] = number.to_le_bytes();
    MacAddr::new([2, 0, 0, 4, low, high])
}

fn scenarios(lan: &Lan) -> Result<Vec<Scenario>> {
    let pinned = || Program::pinned("/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc");
    let ifindex = |port: usize| if_nametoindex(lan.port(port));
    let ingress = ifindex(0)?;
    let context = Context::ingress(ingress);
    let slot = |number| {
        let source = FdbKey::new(source(number), 0);
        let destination = FdbKey::new(lan.mac(1), 0);
        FlowKey { source, destination, ingress_ifindex: ingress }.index()
    };
    // Two flows that fall into one slot of the cache, so that neither ever finds its verdict there.
    let twin =
        (1..u16::MAX).find(|number| slot(*number) == slot(0)).context("no second flow has the slot")?;
    let mut flows = vec![0_u32; FLOW_SLOTS as usize];
    let mut out = Vec::new();
    for number in (0..SOURCES).chain([twin]) {
        // Everybody is known before anything is timed.
        let frame = Frame::new(source(number), lan.mac(1)).build();
        let verdict = pinned()?.run(&frame, &context, &mut out)?;
        ensure!(verdict == Verdict::Redirect, "{verdict:?} for a known station");
        flows[slot(number) as usize] += 1;
    }
    let alone = flows.iter().filter(|flows| **flows == 1).count();
    ensure!(alone * 50 < flows.len(), "{alone} flows have a slot of the cache for themselves");
    let least = || -> Result<Program> { Ok(baseline::redirect(ifindex(1)?)?) };
    let (two, many) = (Turn::Two(twin), Turn::Many(SOURCES));
    let known = Frame::new(lan.mac(0), lan.mac(1));
    let rotating = Frame::new(source(0), lan.mac(1));
    let frames = [
        ("redirect", least()?, known.clone(), 1, 0, None),
        ("hit", pinned()?, known.clone(), 1, 0, Some(12.0)),
        ("hit-tagged", pinned()?, known.tagged(CTAG, 5), 1, 0, Some(12.0)),
        ("hit-behind", pinned()?, Frame::new(lan.mac(1), station(0x701)), 1, 0, Some(12.0)),
        ("redirect-2", baseline::rotate(two, &least()?)?, rotating.clone(), 1, 4, None),
        ("uncached-2", baseline::rotate(two, &pinned()?)?, rotating.clone(), 1, 4, Some(90.0)),
        ("redirect-1024", baseline::rotate(many, &least()?)?, rotating.clone(), 1, 6, None),
        ("uncached-1024", baseline::rotate(many, &pinned()?)?, rotating, 1, 6, None),
        // Drops are not cached: parse, learn, both lookups and the policy, each time.
        ("same-port", pinned()?, Frame::new(lan.mac(0), station(0x701)), 1, 0, None),
        ("local", pinned()?, Frame::new(lan.mac(0), lan.port_mac(0)), 1, 0, None),
        // Two of the three copies really leave, through the devices, within the run.
        ("flood-3", pinned()?, Frame::broadcast(lan.mac(0)), 50, 0, None),
    ];
    frames
        .into_iter()
        .map(|(name, program, frame, share, least, target)| {
            let from = if name == "hit-behind" { ifindex(1)? } else { ingress };
            let context = Context::ingress(from);
            let frame = frame.build().to_vec();
            Ok(Scenario { name: name.to_owned(), program, frame, context, share, least, target })
        })
        .collect()
}

/// A switch with that many rules, which look at that many different sets of bits and of which none matches: the same frame
/// again and again, and frames of many stations, for each of which all masks are gone through.
fn ruled(sandbox: &Sandbox, rules: u32, masks: u32, prefix: char) -> Result<Vec<Scenario>> {
    let name = format!("rules{rules}");
    let mut lan = Lan::empty(sandbox, Kind::Vswitch, &name, prefix);
    for _ in 0..2 {
        lan.add(&[]);
    }
    lan.introduce();
    let list = (0..rules).map(|rule| {
        let mask = rule % masks;
        // A mask of MAC addresses of its own for each.
        format!("deny src-mac fe:00:{:02x}:{:02x}:00:00/ff:00:ff:ff:00:{mask:02x}", rule >> 8, rule & 255)
    });
    fs::write("/run/rules", list.collect::<Vec<_>>().join("\n"))?;
    lan.cli().ok(&["acl", "load", &name, "-f", "/run/rules"]);
    let pinned = || Program::pinned(&format!("/sys/fs/bpf/vswitch/v1/{name}/progs/vswitch_tc"));
    let context = Context::ingress(if_nametoindex(lan.port(0))?);
    let mut out = Vec::new();
    for number in 0..SOURCES {
        let verdict = pinned()?.run(&Frame::new(source(number), lan.mac(1)).build(), &context, &mut out)?;
        ensure!(verdict == Verdict::Redirect, "{verdict:?} for a known station");
    }
    let scenario = |kind: &str, program, frame: &Frame, least| Scenario {
        name: format!("{name}-{kind}"),
        program,
        frame: frame.build().to_vec(),
        context,
        share: 1,
        least,
        target: None,
    };
    let rotating = baseline::rotate(Turn::Many(SOURCES), &pinned()?)?;
    Ok(vec![
        scenario("hit", pinned()?, &Frame::new(lan.mac(0), lan.mac(1)), 0),
        scenario("uncached", rotating, &Frame::new(source(0), lan.mac(1)), 6),
    ])
}

/// Prints each scenario and how much more than the least it costs: A B C, C B A, A B C, ...
fn compare(scenarios: &[Scenario], rounds: usize, repeat: u32) -> Result<()> {
    let mut samples = vec![Vec::new(); scenarios.len()];
    for scenario in scenarios {
        scenario.sample(repeat).with_context(|| format!("warm up `{}`", scenario.name))?;
    }
    for round in 0..rounds {
        let mut order: Vec<usize> = (0..scenarios.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for at in order {
            samples[at].push(scenarios[at].sample(repeat)?);
        }
    }
    println!(
        "ns/frame: median (lowest to highest) of {rounds} rounds in alternating order; the differences are medians of"
    );
    println!("the rounds' differences to the least that a program can do with the same frames\n");
    for (scenario, times) in scenarios.iter().zip(&samples) {
        let more = times.iter().zip(&samples[scenario.least]).map(|(time, least)| time - least).collect();
        let ((time, lowest, highest), (more, ..)) = (spread(times.clone()), spread(more));
        let target = scenario.target.map_or_else(String::new, |target| {
            format!(", to be {target:.0} at most{}", if more <= target { "" } else { ": TOO MUCH" })
        });
        println!(
            "  {:<18} {time:>8.1} ({lowest:.1} to {highest:.1})  {more:>+8.1} to `{}`{target}",
            scenario.name, scenarios[scenario.least].name
        );
    }
    println!();
    Ok(())
}

/// The middle one, and the extremes.
fn spread(mut samples: Vec<f64>) -> (f64, f64, f64) {
    samples.sort_by(f64::total_cmp);
    let at = |index: usize| samples.get(index).copied().unwrap_or_default();
    (at(samples.len() / 2), at(0), at(samples.len().saturating_sub(1)))
}

fn follow(criterion: &mut Criterion, scenarios: &[Scenario]) {
    let mut group = criterion.benchmark_group("prog_run");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for scenario in scenarios {
        group.bench_function(&scenario.name, |bencher| {
            bencher.iter_custom(|iterations| {
                // A sample of some length is exact; criterion's first ones are of one iteration.
                let rounds = iterations.div_ceil(u64::from(REPEAT)).max(1);
                let total: f64 = (0..rounds).map(|_| scenario.sample(REPEAT).expect("run the program")).sum();
                #[expect(clippy::cast_precision_loss, reason = "a time is no exact number")]
                let nanoseconds = total / rounds as f64 * iterations as f64;
                Duration::from_secs_f64(nanoseconds * 1e-9)
            });
        });
    }
    group.finish();
}

//! Nanoseconds per frame of the program alone, by `BPF_PROG_TEST_RUN`: no driver, no stack, no wire.

use std::{hint::black_box, time::Duration};

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use criterion::{Criterion, criterion_group, criterion_main};
use nix::net::if_::if_nametoindex;
use vswitch_tests::{
    frame::{CTAG, Frame, station},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

/// The kernel gives the mean of this many runs, in whole nanoseconds.
const REPEAT: u32 = 20_000;

fn nanoseconds(program: &SchedClassifier, ifname: &str, frame: &[u8], repeat: u32) -> u128 {
    // struct __sk_buff up to and with `ifindex`, which is its eleventh word.
    let mut context = [0_u8; 44];
    context[40..].copy_from_slice(&if_nametoindex(ifname).expect("interface").to_ne_bytes());
    let options =
        TestRunOptions { data_in: Some(frame), ctx_in: Some(&context), repeat, ..TestRunOptions::new() };
    program.test_run(options).expect("run the program").duration.as_nanos()
}

fn scenarios(criterion: &mut Criterion) {
    let sandbox = Sandbox::enter().expect("sandbox");
    let lan = Lan::new(&sandbox, Kind::Vswitch, 4);
    lan.introduce();
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1, 2, 3]);
    let program =
        SchedClassifier::from_pin("/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc").expect("pinned program");
    let known = Frame::new(lan.mac(0), lan.mac(1));
    let cases = [
        // The verdict of the same flow is in the cache.
        ("hit", known.clone(), REPEAT),
        ("hit-tagged", known.tagged(CTAG, 5), REPEAT),
        // Drops are not cached: parse, learn, both lookups and the policy, each time.
        ("miss", Frame::new(lan.mac(0), station(0x701)), REPEAT),
        ("local", Frame::new(lan.mac(0), lan.port_mac(0)), REPEAT),
        // Two of the three copies really leave, through the devices, within the run.
        ("flood-3", Frame::broadcast(lan.mac(0)), REPEAT / 20),
    ];
    let mut group = criterion.benchmark_group("prog_run");
    group.sample_size(20).measurement_time(Duration::from_secs(2)).warm_up_time(Duration::from_millis(500));
    for (name, frame, repeat) in cases {
        let bytes = frame.build();
        group.bench_function(name, |bencher| {
            bencher.iter_custom(|iterations| {
                let rounds = iterations.div_ceil(u64::from(repeat)).max(1);
                let total: u128 =
                    (0..rounds).map(|_| nanoseconds(&program, lan.port(0), black_box(&bytes), repeat)).sum();
                let mean = u64::try_from(total / u128::from(rounds)).unwrap_or(u64::MAX);
                Duration::from_nanos(mean * iterations)
            });
        });
        lan.collect(|_| true);
    }
    group.finish();
}

criterion_group!(benches, scenarios);
criterion_main!(benches);

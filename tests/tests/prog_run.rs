//! One frame in, one verdict out: the pinned program itself, run by the kernel's `BPF_PROG_TEST_RUN`.
#![expect(clippy::unwrap_used, reason = "a test")]

use aya::programs::{SchedClassifier, TestRun as _, TestRunOptions};
use nix::net::if_::if_nametoindex;
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{CTAG, Frame, MULTICAST, STAG, station},
    random::Random,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

/// Go on to the next program, or to the stack (`TCX_NEXT`, `TCX_PASS`).
const TO_THE_HOST: [i32; 2] = [-1, 0];
/// `TCX_DROP`
const DROP: [i32; 1] = [2];
/// `TCX_REDIRECT`
const REDIRECT: [i32; 1] = [7];

/// The program of the switch `lab`.
struct Program(SchedClassifier);

impl Program {
    fn pinned() -> Self {
        Self(SchedClassifier::from_pin("/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc").unwrap())
    }

    /// The verdict on a frame that comes in by that interface. The program must leave its bytes alone.
    fn verdict(&self, ifname: &str, frame: &[u8]) -> i32 {
        let mut bytes = vec![0; frame.len() + 64];
        // struct __sk_buff up to and with `ifindex`, which is its eleventh word.
        let mut context = [0_u8; 44];
        context[40..].copy_from_slice(&if_nametoindex(ifname).unwrap().to_ne_bytes());
        let options = TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut bytes),
            ctx_in: Some(&context),
            ..TestRunOptions::new()
        };
        let result = self.0.test_run(options).unwrap();
        assert_eq!(&bytes[..usize::try_from(result.data_size_out).unwrap()], frame, "the frame was changed");
        result.return_value.cast_signed()
    }
}

const fn reserved(last: u8) -> MacAddr {
    MacAddr::new([0x01, 0x80, 0xc2, 0, 0, last])
}

#[test]
fn each_kind_of_frame_has_its_verdict() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1, 2]);
    let program = Program::pinned();
    let to = |mac| Frame::new(lan.mac(0), mac);
    let from = |mac| Frame::new(mac, lan.mac(1));
    let cases: [(&str, Frame, &[i32]); 15] = [
        ("known unicast", to(lan.mac(1)), &REDIRECT),
        ("again, from the cache", to(lan.mac(1)), &REDIRECT),
        ("tagged", to(lan.mac(1)).tagged(CTAG, 5), &REDIRECT),
        ("tagged twice", to(lan.mac(1)).tagged(STAG, 5).tagged(CTAG, 6), &REDIRECT),
        ("nothing but a header", to(lan.mac(1)).payload(0), &REDIRECT),
        ("unknown unicast", to(station(0x7ff)), &REDIRECT),
        ("multicast", to(MULTICAST), &REDIRECT),
        ("broadcast", to(MacAddr::BROADCAST), &REDIRECT),
        ("same port", to(station(0x701)), &DROP),
        ("group source", from(MULTICAST), &DROP),
        ("zero source", from(MacAddr::ZERO), &DROP),
        ("pause", to(reserved(1)), &DROP),
        ("LLDP", to(reserved(0xe)), &TO_THE_HOST),
        ("to the port's device", to(lan.port_mac(0)), &TO_THE_HOST),
        ("to another port's device", to(lan.port_mac(2)), &TO_THE_HOST),
    ];
    for (name, frame, verdicts) in cases {
        let verdict = program.verdict(lan.port(0), &frame.build());
        assert!(verdicts.contains(&verdict), "{name}: {verdict} is not one of {verdicts:?}\n{}", lan.dump());
    }
    lan.counters();
}

/// The program is only attached to ports, but whatever it is run on that is none is not its business.
#[test]
fn no_port_no_verdict() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    let before = lan.counters().unwrap();
    let frame = Frame::broadcast(lan.mac(0)).build();
    let verdict = Program::pinned().verdict("lo", &frame);
    assert!(TO_THE_HOST.contains(&verdict), "{verdict}");
    assert_eq!(lan.counters().unwrap(), before);
    assert!(lan.collect(|_| true).iter().all(Vec::is_empty));
}

/// Whatever the bytes are: the verdict is one of four, each frame is counted once, and none goes back.
#[test]
fn any_bytes_have_a_verdict() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    let program = Program::pinned();
    let before = lan.counters().unwrap();
    let mut random = Random::from_environment();
    let mut seen = [0_u32; 9];
    let count = 5_000;
    for number in 0..count {
        let destination = *random.pick(&[
            lan.mac(0),
            lan.mac(1),
            MULTICAST,
            MacAddr::BROADCAST,
            reserved(2),
            station(0x7ff),
        ]);
        let source =
            *random.pick(&[lan.mac(0), lan.mac(0), lan.mac(0), station(0x701), MacAddr::ZERO, MULTICAST]);
        let mut bytes =
            Frame::new(source, destination).sequence(number).payload(random.below(47)).build().to_vec();
        for _ in 0..random.below(4) {
            let (at, value) = (random.below(bytes.len()), random.number().to_le_bytes()[0]);
            bytes[at] = value;
        }
        let verdict = program.verdict(lan.port(0), &bytes);
        let known = [&TO_THE_HOST[..], &DROP, &REDIRECT].concat();
        assert!(known.contains(&verdict), "{verdict} for {bytes:02x?}");
        seen[usize::try_from(verdict + 1).unwrap()] += 1;
    }
    let after = lan.counters().unwrap();
    let (ingress, was) = (&after[lan.port(0)], &before[lan.port(0)]);
    assert_eq!(ingress.rx_frames, was.rx_frames + u64::from(count));
    assert_eq!(ingress.tx_frames, was.tx_frames, "a frame went back to where it came from");
    let (host, dropped, sent) = (seen[0] + seen[1], seen[3], seen[8]);
    assert!(host > 100 && dropped > 100 && sent > 100, "{host} to the host, {dropped} dropped, {sent} sent");
}

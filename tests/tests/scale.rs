//! Far more ports than the Linux bridge has: it stops at 1,024.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use bytes::Bytes;
use vswitch_tests::{
    ask::{arp_answer, arp_question},
    device,
    frame::{Frame, station},
    iproute::ip,
    port::{Port, wait_any},
    sandbox::{NetNs, Sandbox},
    state,
    vswitch::Cli,
};

const PORTS: usize = 1_100;
/// Ports share namespaces, so that the test is about ports.
const PER_NAMESPACE: usize = 100;

fn place(port: usize) -> (String, String, String) {
    (format!("p{port}"), format!("n{}", port / PER_NAMESPACE), format!("e{port}"))
}

fn add(cli: &Cli, port: usize) -> Duration {
    let (name, namespace, ifname) = place(port);
    let start = Instant::now();
    cli.ok(&["port", "add", "lab", &name, "--netns", &namespace, "--ifname", &ifname]);
    start.elapsed()
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// How often each port got a frame, and which others it got, until that many frames came.
fn copies(wires: &[Port], frame: &Bytes, wanted: usize) -> (Vec<usize>, Vec<(usize, Bytes)>) {
    let (mut counts, mut others) = (vec![0; wires.len()], Vec::new());
    let everybody: Vec<&Port> = wires.iter().collect();
    let mut deadline = Instant::now() + Duration::from_secs(10);
    while wait_any(&everybody, deadline).unwrap() > 0 {
        for (port, wire) in wires.iter().enumerate() {
            while let Some(received) = wire.try_receive().unwrap() {
                if received == frame {
                    counts[port] += 1;
                } else {
                    others.push((port, received));
                }
            }
        }
        if counts.iter().sum::<usize>() + others.len() == wanted {
            // Anything more would be a copy too many.
            deadline = Instant::now() + Duration::from_millis(100);
        }
    }
    (counts, others)
}

#[test]
fn eleven_hundred_ports() {
    let sandbox = Sandbox::enter().unwrap();
    device::no_ipv6();
    let namespaces: Vec<NetNs> = (0..PORTS.div_ceil(PER_NAMESPACE))
        .map(|number| sandbox.netns(&format!("n{number}")).unwrap())
        .collect();
    for namespace in &namespaces {
        namespace.run(device::no_ipv6).unwrap();
    }
    let cli = Cli::find();
    cli.ok(&["switch", "add", "lab"]);
    let times: Vec<Duration> = (0..PORTS).map(|port| add(&cli, port)).collect();
    let (few, many) = (median(times[..10].to_vec()), median(times[990..1010].to_vec()));
    println!(
        "port add: {few:?} at 2 ports, {many:?} at 1,000: ratio {:.2}",
        many.as_secs_f64() / few.as_secs_f64()
    );

    assert_eq!(cli.rows(&["port", "list", "lab"]).len(), PORTS);
    let wires: Vec<Port> = (0..PORTS)
        .map(|port| {
            let (_, _, ifname) = place(port);
            let namespace = &namespaces[port / PER_NAMESPACE];
            namespace.run(|| device::change_flags(&ifname, libc::IFF_NOARP, 0)).unwrap().unwrap();
            Port::open(namespace, &ifname).unwrap()
        })
        .collect();

    // Everybody else gets a broadcast exactly once, from the first, the last and one beyond the bridge's limit.
    for (from, sequence) in [(0, 1), (PORTS - 1, 2), (1024, 3)] {
        let frame = Frame::broadcast(station(0x701)).sequence(sequence).build();
        wires[from].send(&frame).unwrap();
        let (counts, others) = copies(&wires, &frame, PORTS - 1);
        assert_eq!(others, [], "other frames");
        let wrong: Vec<(usize, usize)> = (0..PORTS)
            .map(|port| (port, counts[port]))
            .filter(|(port, count)| *count != usize::from(*port != from))
            .collect();
        let refused: u64 =
            state::counters(&cli, "lab").values().map(|port| port.tx_drops.values().sum::<u64>()).sum();
        assert!(
            wrong.is_empty(),
            "a broadcast from port {from}: {} ports got it not exactly once, {refused} copies were counted as \
             refused; (port, copies): {wrong:?}",
            wrong.len()
        );
    }
    // The address was last seen behind port 1024, which only a switch of this size has.
    let frame = Frame::new(station(0x702), station(0x701)).build();
    wires[3].send(&frame).unwrap();
    let deadline = Instant::now() + Duration::from_secs(2);
    assert_eq!(wires[1024].receive(deadline).unwrap(), Some(frame));
    let counters = state::counters(&cli, "lab");
    assert_eq!(counters["p3"].forwarded, 1);
    assert_eq!(counters["p1024"].flooded, 1);

    // A question is answered once, after the last round of its copies.
    let (known, asker) =
        ((station(0x701), Ipv4Addr::new(10, 0, 0, 9)), (station(0x702), Ipv4Addr::new(10, 0, 0, 1)));
    cli.ok(&["neigh", "add", "lab", "10.0.0.9", &known.0.to_string()]);
    cli.ok(&["port", "set", "lab", "p1024", "neigh-suppress=on"]);
    let question = arp_question(asker, known.1);
    wires[3].send(&question).unwrap();
    let (counts, others) = copies(&wires, &question, PORTS - 1);
    assert_eq!(others, [(3, arp_answer(known, asker))]);
    let wrong: Vec<usize> =
        (0..PORTS).filter(|port| counts[*port] != usize::from(![3, 1024].contains(port))).collect();
    assert_eq!(wrong, [0_usize; 0], "ports that got the question not exactly once");
    let counters = state::counters(&cli, "lab");
    assert_eq!((counters["p3"].answered, counters["p3"].flooded), (1, 0));

    cli.ok(&["switch", "del", "lab"]);
    let left =
        ip(&["-o", "link"]).lines().filter(|line| line.contains("veth") || line.contains(": p")).count();
    assert_eq!(left, 0, "the switch takes all its ports with it");
}

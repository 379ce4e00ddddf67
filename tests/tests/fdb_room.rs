//! Room in the FDB is bounded for each port, and shared out fairly: whoever floods it costs the others nothing.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::{
    fs,
    os::fd::{AsFd as _, AsRawFd as _},
    thread,
    time::Duration,
};

use aya::{
    maps::MapData,
    programs::{SchedClassifier, TestRun as _, TestRunOptions},
};
use nix::net::if_::if_nametoindex;
use vswitch_common::addr::MacAddr;
use vswitch_tests::{
    frame::{Frame, station},
    iproute::ip,
    random::Random,
    sandbox::Sandbox,
    topology::Lan,
    wait,
};

const PROGRAM: &str = "/sys/fs/bpf/vswitch/v1/lab/progs/vswitch_tc";

/// `struct __sk_buff` up to and with `ifindex`, which is its eleventh word.
fn context(port: &str) -> [u8; 44] {
    let mut context = [0; 44];
    context[40..].copy_from_slice(&if_nametoindex(port).unwrap().to_ne_bytes());
    context
}

fn number(lan: &Lan<'_>, key: &str) -> u64 {
    lan.cli().json(&["switch", "show", "lab"])[key].as_u64().unwrap()
}

/// Every counter is what the list says: of each port, and of all.
#[track_caller]
fn counted(lan: &Lan<'_>) {
    let entries = lan.cli().rows(&["fdb", "list", "lab"]);
    let learned = |port: Option<&str>| {
        let of = |row: &&serde_json::Value| {
            row["kind"] == "dynamic" && port.is_none_or(|port| row["port"] == port)
        };
        entries.iter().filter(of).count() as u64
    };
    for row in lan.cli().rows(&["port", "list", "lab"]) {
        let port = row["port"].as_str().unwrap();
        assert_eq!(row["macs"], learned(Some(port)), "{port}: {}", lan.dump());
    }
    assert_eq!(number(lan, "fdb-learned"), learned(None), "{}", lan.dump());
    let added = entries.iter().filter(|row| row["kind"] != "dynamic" && row["kind"] != "local").count();
    assert_eq!(number(lan, "fdb-added"), added as u64, "{}", lan.dump());
}

#[test]
fn max_macs() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::on_switch(&sandbox, &["fdb-size=64", "port-slots=16", "ageing=0"], 3);
    lan.introduce();
    // Off means off.
    for number in 0x701..0x708 {
        lan.expect(0, &Frame::broadcast(station(number)), &[1, 2]);
    }
    assert_eq!((lan.row(0)["macs"].as_u64(), number(&lan, "fdb-limited")), (Some(8), 0));
    lan.flush();
    lan.introduce();
    lan.set(0, &["max-macs=3"]);
    for number in 0x701..0x705 {
        // The frame passes whether its source is learned or not.
        lan.expect(0, &Frame::new(station(number), lan.mac(1)), &[1]);
        lan.expect(0, &Frame::new(station(number), lan.mac(1)).sequence(1), &[1]);
    }
    assert_eq!((lan.row(0)["macs"].as_u64(), lan.row(0)["max_macs"].as_u64()), (Some(3), Some(3)));
    assert!(number(&lan, "fdb-limited") >= 2);
    counted(&lan);
    for (number, to) in [(0x701, &[0][..]), (0x702, &[0]), (0x703, &[0, 2]), (0x704, &[0, 2])] {
        lan.expect(1, &Frame::new(lan.mac(1), station(number)), to);
    }
    // An address of another port that turns up here is a new one here; elsewhere there is no limit.
    lan.expect(1, &Frame::broadcast(station(0x711)), &[0, 2]);
    lan.expect(0, &Frame::broadcast(station(0x711)), &[1, 2]);
    lan.expect(2, &Frame::new(lan.mac(2), station(0x711)), &[1]);
    lan.expect(1, &Frame::broadcast(station(0x701)), &[0, 2]);
    counted(&lan);
    // That made room for one.
    lan.expect(0, &Frame::new(station(0x703), lan.mac(1)).sequence(2), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), station(0x703)).sequence(2), &[0]);
    // A change of the limit is effective for the next frame, although there is a verdict for the flow.
    lan.expect(0, &Frame::new(station(0x704), lan.mac(1)).sequence(2), &[1]);
    lan.set(0, &["max-macs=none"]);
    lan.expect(0, &Frame::new(station(0x704), lan.mac(1)).sequence(3), &[1]);
    lan.expect(1, &Frame::new(lan.mac(1), station(0x704)).sequence(3), &[0]);
    counted(&lan);
}

/// What counts no more makes room at once: deleted, expired, or forgotten since the device was down.
#[test]
fn a_limit_is_of_what_counts() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::on_switch(&sandbox, &["fdb-size=64", "port-slots=16"], 2);
    lan.introduce();
    lan.set(0, &["max-macs=1"]);
    let known = |lan: &Lan<'_>, number: u16| !lan.entry(station(number)).is_null();
    lan.cli().ok(&["fdb", "del", "lab", &lan.mac(0).to_string()]);
    lan.expect(0, &Frame::broadcast(station(0x701)), &[1]);
    lan.expect(0, &Frame::broadcast(station(0x702)), &[1]);
    assert!(known(&lan, 0x701) && !known(&lan, 0x702));
    ip(&["link", "set", "a1", "down"]);
    ip(&["link", "set", "a1", "up"]);
    wait::until("the port is up again", || lan.row(0)["state"] == "forwarding");
    assert_eq!(lan.row(0)["macs"], 0);
    lan.expect(0, &Frame::broadcast(station(0x702)), &[1]);
    assert!(known(&lan, 0x702) && !known(&lan, 0x701));
    lan.set_ageing(1);
    thread::sleep(Duration::from_millis(1300));
    lan.expect(0, &Frame::broadcast(station(0x703)), &[1]);
    assert!(known(&lan, 0x703) && !known(&lan, 0x702), "{}", lan.dump());
    assert_eq!(lan.row(0)["macs"], 1);
    // What the user adds to be learned is counted as well; what is static is not.
    let refused = lan.cli().run(&["fdb", "add", "lab", "02:00:00:00:07:04", "a1", "--dynamic"]).refused();
    assert!(refused.stderr.contains("has its 1 addresses"), "{refused:?}");
    lan.cli().ok(&["fdb", "add", "lab", "02:00:00:00:07:04", "a1"]);
}

/// Whatever happens to entries, the counters follow.
#[test]
fn counters_follow() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = Lan::on_switch(&sandbox, &["fdb-size=24", "port-slots=16", "ageing=0"], 4);
    let mut random = Random::from_environment();
    for round in 0..120 {
        let at = random.below(3);
        let mac = station(0x700 + u16::try_from(random.below(30)).unwrap());
        let text = mac.to_string();
        let port = lan.port(at).to_owned();
        let (cli, add) = (lan.cli(), ["fdb", "replace", "lab", &text, &port]);
        match random.below(12) {
            0 => drop(cli.ok(&["fdb", "flush", "lab", "--port", &port])),
            1 => drop(cli.run(&[&add[..], &["--sticky"]].concat())),
            2 => drop(cli.run(&[&add[..], &["--extern-learn"]].concat())),
            3 => drop(cli.run(&[&add[..], &["--dynamic"]].concat())),
            4 => drop(cli.run(&["fdb", "del", "lab", &text])),
            5 => drop(cli.ok(&["fdb", "flush", "lab", "--kind", "extern-learn", "--kind", "sticky"])),
            6 => lan.set(at, &["max-macs=4"]),
            7 => lan.set(at, &["state=blocking", "max-macs=none"]),
            _ => {
                for _ in 0..8 {
                    let mac = station(0x700 + u16::try_from(random.below(30)).unwrap());
                    lan.stations[at].wire.send(&Frame::broadcast(mac).build()).unwrap();
                }
                lan.collect(|_| true);
            }
        }
        lan.set(at, &["state=forwarding"]);
        if round % 10 == 0 {
            counted(&lan);
        }
    }
    lan.remove_port(3);
    let new = lan.add(&[]);
    lan.stations[new].wire.send(&Frame::broadcast(station(0x800)).build()).unwrap();
    lan.collect(|_| true);
    counted(&lan);
    lan.cli().ok(&["fdb", "flush", "lab"]);
    assert_eq!(number(&lan, "fdb-learned"), 0);
}

/// Two CPUs teach the same addresses behind two ports, while a third party forgets and adds: the counts never drift.
#[test]
fn counters_never_drift() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::on_switch(&sandbox, &["fdb-size=40", "port-slots=8", "ageing=0"], 3);
    lan.set(1, &["max-macs=25"]);
    let host = lan.port_mac(2);
    let teach = move |port: &str, seed: u64| {
        let program = SchedClassifier::from_pin(PROGRAM).unwrap();
        let context = context(port);
        let mut frame = Frame::new(MacAddr::ZERO, host).build().to_vec();
        let mut random = Random::new(seed);
        for _ in 0..300_000 {
            frame[6..12].copy_from_slice(&station(0x700 + u16::try_from(random.below(64)).unwrap()).octets());
            let options =
                TestRunOptions { data_in: Some(&frame), ctx_in: Some(&context), ..TestRunOptions::new() };
            program.test_run(options).unwrap();
        }
    };
    thread::scope(|scope| {
        let teachers = [scope.spawn(|| teach("a1", 1)), scope.spawn(|| teach("a2", 2))];
        let mut random = Random::from_environment();
        while teachers.iter().any(|teacher| !teacher.is_finished()) {
            let mac = station(0x700 + u16::try_from(random.below(64)).unwrap()).to_string();
            match random.below(4) {
                0 => drop(lan.cli().ok(&["fdb", "flush", "lab"])),
                1 => drop(lan.cli().run(&["fdb", "replace", "lab", &mac, "a3"])),
                2 => drop(lan.cli().run(&["fdb", "replace", "lab", &mac, "a3", "--extern-learn"])),
                _ => drop(lan.cli().ok(&["fdb", "flush", "lab", "--kind", "static", "--port", "a3"])),
            }
        }
        for teacher in teachers {
            teacher.join().unwrap();
        }
    });
    counted(&lan);
    let every = ["--kind", "static", "--kind", "extern-learn", "--kind", "dynamic"];
    lan.cli().ok(&[&["fdb", "flush", "lab"], &every[..]].concat());
    assert_eq!((number(&lan, "fdb-learned"), number(&lan, "fdb-added")), (0, 0));
    counted(&lan);
}

/// A flush frees the places of what it forgets, however often.
#[test]
fn flushes_cost_no_room() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::on_switch(&sandbox, &["fdb-size=8", "port-slots=4"], 2);
    for round in 0..40 {
        for last in 0..4 {
            lan.stations[0].wire.send(&Frame::broadcast(station(0x700 + last)).build()).unwrap();
        }
        wait::until("they are learned", || lan.row(0)["macs"] == 4);
        lan.flush();
        assert_eq!(number(&lan, "fdb-full"), 0, "round {round}");
    }
}

/// The promise of the issue: 16 new addresses from one port against a full 10-entry table of 5 ports.
#[test]
fn sixteen_against_ten() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::on_switch(&sandbox, &["fdb-size=10", "ageing=0"], 5);
    assert_eq!(number(&lan, "fdb-share"), 2);
    let second = |index: usize| station(0x700 + u16::try_from(index).unwrap());
    lan.introduce();
    for index in 0..5 {
        lan.expect(index, &Frame::broadcast(second(index)), &lan.others(index));
    }
    assert_eq!(lan.learned().len(), 10);
    let nobody_lost = |lan: &Lan<'_>, sequence| {
        for from in 1..5 {
            for to in (1..5).filter(|to| *to != from) {
                lan.expect(from, &Frame::new(lan.mac(from), lan.mac(to)).sequence(sequence), &[to]);
                lan.expect(from, &Frame::new(second(from), second(to)).sequence(sequence), &[to]);
            }
        }
        counted(lan);
    };
    nobody_lost(&lan, 0);
    for last in 0..16 {
        lan.expect(0, &Frame::broadcast(station(0x710 + last)), &[1, 2, 3, 4]);
    }
    nobody_lost(&lan, 1);
    assert_eq!(number(&lan, "fdb-full"), 16);

    // Now that port is the first, and borrows all that there is; the others get their own back.
    lan.flush();
    for last in 0..16 {
        lan.expect(0, &Frame::broadcast(station(0x710 + last)), &[1, 2, 3, 4]);
    }
    assert_eq!(lan.row(0)["macs"], 10);
    for index in 1..5 {
        lan.expect(index, &Frame::broadcast(lan.mac(index)), &lan.others(index));
        lan.expect(index, &Frame::broadcast(second(index)), &lan.others(index));
    }
    assert_eq!((lan.row(0)["macs"].as_u64(), lan.row(1)["macs"].as_u64()), (Some(2), Some(2)));
    nobody_lost(&lan, 2);
    // Who has its share gets no more, from nobody.
    lan.expect(1, &Frame::broadcast(station(0x720)), &[0, 2, 3, 4]);
    assert_eq!(lan.row(0)["macs"], 2);
    nobody_lost(&lan, 3);
}

/// A million random sources.
#[test]
fn a_million_sources() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::on_switch(&sandbox, &["ageing=0"], 4);
    lan.introduce();
    let victims: Vec<MacAddr> = (0..300).map(|last| station(0x700 + last)).collect();
    for (index, mac) in victims.iter().enumerate() {
        lan.stations[1 + index % 3].wire.send(&Frame::new(*mac, lan.mac(0)).build()).unwrap();
    }
    lan.collect(|got| got[0].len() == victims.len());
    assert_eq!(lan.learned().len(), 304);
    let fdb = MapData::from_pin("/sys/fs/bpf/vswitch/v1/lab/maps/FDB").unwrap();
    let memory = || {
        let info =
            fs::read_to_string(format!("/proc/thread-self/fdinfo/{}", fdb.fd().as_fd().as_raw_fd())).unwrap();
        info.lines().find(|line| line.starts_with("memlock")).unwrap().to_owned()
    };
    let before = memory();

    let program = SchedClassifier::from_pin(PROGRAM).unwrap();
    let context = context(lan.port(0));
    let mut frame = Frame::new(MacAddr::ZERO, lan.mac(1)).build().to_vec();
    let mut random = Random::from_environment();
    for _ in 0..1_000_000 {
        let number = random.number().to_le_bytes();
        frame[6] = 0x06;
        frame[7..12].copy_from_slice(&number[..5]);
        let options =
            TestRunOptions { data_in: Some(&frame), ctx_in: Some(&context), ..TestRunOptions::new() };
        // TCX_REDIRECT: the frame passes although its source is not learned.
        assert_eq!(program.test_run(options).unwrap().return_value, 7);
    }

    let (learned, size) = (number(&lan, "fdb-learned"), number(&lan, "fdb-size"));
    assert_eq!(learned, size, "the table is full, and not fuller");
    assert!(number(&lan, "fdb-full") > 900_000);
    assert_eq!(memory(), before);
    let known = lan.learned();
    for (index, mac) in victims.iter().enumerate() {
        let port = lan.port(1 + index % 3).to_owned();
        assert!(known.contains(&(mac.to_string(), port)), "{mac} was evicted");
    }
    for index in [0, 100, 200, 299] {
        // No third one gets a copy.
        let to = 1 + index % 3;
        let from = if to == 1 { 2 } else { 1 };
        lan.expect(from, &Frame::new(lan.mac(from), victims[index]), &[to]);
    }
    // A newcomer is learned at once, and so the flood hides nothing from anybody.
    lan.expect(2, &Frame::broadcast(station(0x900)), &[0, 1, 3]);
    lan.expect(1, &Frame::new(lan.mac(1), station(0x900)), &[2]);
    assert_eq!(number(&lan, "fdb-learned"), size);
    assert_eq!(lan.row(2)["macs"], 102);
}

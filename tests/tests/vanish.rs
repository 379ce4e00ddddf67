//! Devices and namespaces that disappear or change underneath: the addresses behind them are forgotten, everybody
//! else is unharmed, and the same name can be used again.
#![expect(clippy::unwrap_used, reason = "a test")]

use std::io::Write as _;

use vswitch_tests::{
    device,
    frame::{Frame, station},
    iproute::{ip, link_exists},
    on_both,
    sandbox::Sandbox,
    topology::{Kind, Lan},
    wait,
};

on_both!(deleted_device, link_down_and_up, far_end_down_and_up, static_behind_a_down_port, renamed);

fn lan(sandbox: &Sandbox, kind: Kind) -> Lan<'_> {
    let lan = Lan::new(sandbox, kind, 4);
    lan.introduce();
    lan.expect(1, &Frame::broadcast(station(0x701)), &[0, 2, 3]);
    // With verdicts in the cache, to both its own address and one behind it.
    for to in [lan.mac(1), station(0x701)] {
        lan.expect(0, &Frame::new(lan.mac(0), to), &[1]);
        lan.expect(0, &Frame::new(lan.mac(0), to), &[1]);
    }
    lan
}

/// Nothing of port 1 is known any more: what was for it is flooded, what is for others is not.
fn port_1_is_forgotten(lan: &Lan) {
    for to in [lan.mac(1), station(0x701)] {
        lan.expect(0, &Frame::new(lan.mac(0), to), &[2, 3]);
        lan.expect(0, &Frame::new(lan.mac(0), to).sequence(1), &[2, 3]);
    }
    let rest: Vec<_> = [0, 2, 3].map(|n| (lan.mac(n).to_string(), lan.port(n).to_owned())).to_vec();
    assert_eq!(lan.learned(), rest, "{}", lan.dump());
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)), &[2]);
    lan.expect(2, &Frame::new(lan.mac(2), lan.mac(0)), &[0]);
    lan.expect(3, &Frame::broadcast(lan.mac(3)), &[0, 2]);
}

fn deleted_device(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = lan(&sandbox, kind);
    ip(&["link", "del", lan.port(1)]);
    port_1_is_forgotten(&lan);
    if kind == Kind::Vswitch {
        let rows = lan.cli().rows(&["port", "list", "lab"]);
        if let Some(row) = rows.iter().find(|row| row["port"] == "a2") {
            assert_ne!(row["state"], "forwarding", "a port without a device does not forward");
        }
        // The same name again: the old port may have to be taken away first, which must work.
        let add = ["port", "add", "lab", "a2", "--netns", "a2"];
        if lan.cli().run(&add).code != Some(0) {
            lan.cli().ok(&["port", "del", "lab", "a2"]);
            lan.cli().ok(&add);
        }
        assert!(link_exists("a2"));
    }
    // A new station gets the freed slot, and none of the old one's addresses.
    let new = lan.add(&[]);
    lan.expect(new, &Frame::broadcast(lan.mac(new)), &[0, 2, 3]);
    lan.expect(0, &Frame::new(lan.mac(0), station(0x701)), &[2, 3, new]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(new)), &[new]);
}

fn link_down_and_up(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    ip(&["link", "set", lan.port(1), "down"]);
    port_1_is_forgotten(&lan);
    ip(&["link", "set", lan.port(1), "up"]);
    if kind == Kind::Bridge {
        wait::until("the bridge port forwards", || {
            vswitch_tests::iproute::bridge_json(&["link", "show", "dev", lan.port(1)])[0]["state"]
                == "forwarding"
        });
    }
    wait::until("the station has its carrier back", || {
        lan.stations[1].namespace.run(|| ip(&["link", "show", "eth0"])).unwrap().contains("LOWER_UP")
    });
    // The wire reports once that it was down.
    let _ = lan.stations[1].wire.try_receive();
    lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[0]);
    lan.expect(0, &Frame::new(lan.mac(0), station(0x701)), &[1]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
}

/// The port's device loses its carrier, because the interface in the station's namespace goes down.
fn far_end_down_and_up(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let carrier_is = |wanted: bool| {
        let flags = ip(&["link", "show", lan.port(1)]);
        flags.contains("LOWER_UP") == wanted && flags.contains("state UP") == wanted
    };
    ip(&["-n", lan.port(1), "link", "set", "eth0", "down"]);
    wait::until("the kernel has announced the loss of carrier", || carrier_is(false));
    port_1_is_forgotten(&lan);
    ip(&["-n", lan.port(1), "link", "set", "eth0", "up"]);
    wait::until("the kernel has announced the carrier", || carrier_is(true));
    if kind == Kind::Bridge {
        wait::until("the bridge port forwards", || {
            vswitch_tests::iproute::bridge_json(&["link", "show", "dev", lan.port(1)])[0]["state"]
                == "forwarding"
        });
    }
    // The wire reports once that it was down.
    let _ = lan.stations[1].wire.try_receive();
    // Nothing of the time before counts.
    lan.expect(0, &Frame::new(lan.mac(0), station(0x701)), &[1, 2, 3]);
    lan.expect(1, &Frame::new(station(0x701), lan.mac(0)), &[0]);
    lan.expect(0, &Frame::new(lan.mac(0), station(0x701)), &[1]);
    lan.expect(0, &Frame::broadcast(lan.mac(0)), &[1, 2, 3]);
}

/// What the user has added stays, and what is for it is not flooded.
fn static_behind_a_down_port(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    let fixed = station(0x702);
    match kind {
        Kind::Vswitch => drop(lan.cli().ok(&["fdb", "add", "lab", &fixed.to_string(), "a2"])),
        Kind::Bridge => drop(vswitch_tests::iproute::bridge(&[
            "fdb",
            "add",
            &fixed.to_string(),
            "dev",
            "a2",
            "master",
            "static",
        ])),
    }
    lan.expect(0, &Frame::new(lan.mac(0), fixed), &[1]);
    ip(&["link", "set", lan.port(1), "down"]);
    lan.expect(0, &Frame::new(lan.mac(0), fixed), &[]);
    lan.expect(0, &Frame::new(lan.mac(0), station(0x701)), &[2, 3]);
    ip(&["link", "set", lan.port(1), "up"]);
    if kind == Kind::Bridge {
        wait::until("the bridge port forwards", || {
            vswitch_tests::iproute::bridge_json(&["link", "show", "dev", lan.port(1)])[0]["state"]
                == "forwarding"
        });
    }
    let _ = lan.stations[1].wire.try_receive();
    lan.expect(0, &Frame::new(lan.mac(0), fixed), &[1]);
}

/// A tap has its carrier from the program that has it open.
#[test]
fn program_of_a_tap_ends_and_begins_again() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    lan.cli().ok(&["port", "add", "lab", "t1", "--tap"]);
    let guest = station(0x703);
    for sequence in 0..2 {
        // Unknown at first, and again after the program has ended.
        lan.expect(0, &Frame::new(lan.mac(0), guest), &[1, 2, 3]);
        let mut program = device::open_tap("t1").unwrap();
        let hello = Frame::broadcast(guest).sequence(sequence).build();
        program.write_all(&hello).unwrap();
        lan.expect_arrival(&hello, &[0, 1, 2, 3], "from the tap");
        wait::until("the kernel has announced the carrier", || {
            ip(&["link", "show", "t1"]).contains("state UP")
        });
        lan.expect(0, &Frame::new(lan.mac(0), guest), &[]);
        drop(program);
        wait::until("the kernel has announced the loss of carrier", || {
            ip(&["link", "show", "t1"]).contains("state DOWN")
        });
    }
}

/// The port is the device, not its name.
fn renamed(kind: Kind) {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, kind);
    // Kernels before 6.2 only rename a device that is down.
    ip(&["link", "set", lan.port(1), "down"]);
    ip(&["link", "set", lan.port(1), "name", "other"]);
    ip(&["link", "set", "other", "up"]);
    wait::until("the station has its carrier back", || {
        lan.stations[1].namespace.run(|| ip(&["link", "show", "eth0"])).unwrap().contains("LOWER_UP")
    });
    if kind == Kind::Bridge {
        wait::until("the bridge port forwards", || {
            vswitch_tests::iproute::bridge_json(&["link", "show", "dev", "other"])[0]["state"] == "forwarding"
        });
    }
    let _ = lan.stations[1].wire.try_receive();
    let sender = &lan.stations[1].wire;
    let bytes = Frame::new(lan.mac(1), lan.mac(0)).build();
    sender.send(&bytes).unwrap();
    lan.expect_arrival(&bytes, &[0], "from the renamed port");
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    lan.expect(2, &Frame::broadcast(lan.mac(2)), &[0, 1, 3]);
    if kind == Kind::Vswitch {
        let rows = lan.cli().rows(&["port", "list", "lab"]);
        assert_eq!(rows.len(), 4, "{rows:?}");
        lan.cli().ok(&["switch", "del", "lab"]);
        assert!(!link_exists("other"), "the device that we made is ours under any name");
    }
}

/// The namespace goes, and with it the veth pair.
#[test]
fn deleted_namespace() {
    let sandbox = Sandbox::enter().unwrap();
    let mut lan = lan(&sandbox, Kind::Vswitch);
    let station = lan.stations.remove(1);
    drop(station.wire);
    station.namespace.delete().unwrap();
    wait::until("the device is gone", || !link_exists("a2"));
    let others: Vec<_> = lan.others(0);
    for to in [station.mac, vswitch_tests::frame::station(0x701)] {
        lan.expect(0, &Frame::new(lan.mac(0), to), &others);
    }
    assert_eq!(lan.learned().len(), 3, "{}", lan.dump());
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(2)), &[2]);
    // Everything can be taken down as if nothing had happened.
    lan.cli().ok(&["port", "del", "lab", "a2"]);
    lan.cli().ok(&["port", "add", "lab", "a2", "--netns", "a2"]);
    lan.cli().ok(&["switch", "del", "lab"]);
    assert!(!link_exists("a1") && !link_exists("a2"));
}

/// Everything is gone underneath; the switch can still be deleted.
#[test]
fn all_devices_deleted() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = lan(&sandbox, Kind::Vswitch);
    for port in ["a1", "a2", "a3", "a4"] {
        ip(&["link", "del", port]);
    }
    lan.cli().ok(&["port", "list", "lab"]);
    assert_eq!(lan.learned(), []);
    lan.cli().ok(&["switch", "del", "lab"]);
    assert_eq!(lan.cli().rows(&["switch", "list"]).len(), 0);
}

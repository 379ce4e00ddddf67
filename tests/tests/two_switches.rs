//! Several switches at once do not know each other.

use vswitch_tests::{
    frame::Frame,
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

fn lan<'a>(sandbox: &'a Sandbox, kind: Kind, name: &str, prefix: char) -> Lan<'a> {
    let mut lan = Lan::empty(sandbox, kind, name, prefix);
    for _ in 0..3 {
        lan.add(&[]);
    }
    lan
}

/// The same addresses are on both, so that a shared table would show.
fn apart(one: &Lan, two: &Lan) {
    let nothing = |lan: &Lan| {
        let got = lan.collect(|_| true);
        assert!(got.iter().all(Vec::is_empty), "{got:02x?}\n{}", lan.dump());
    };
    one.introduce();
    nothing(two);
    assert_eq!(two.learned(), []);
    // Station 0's address is behind port 2 there.
    two.expect(2, &Frame::broadcast(two.mac(0)), &[0, 1]);
    two.expect(1, &Frame::new(two.mac(1), two.mac(0)), &[2]);
    one.expect(1, &Frame::new(one.mac(1), one.mac(0)), &[0]);
    one.expect(1, &Frame::new(one.mac(1), one.mac(0)).sequence(1), &[0]);
    two.expect(1, &Frame::new(two.mac(1), two.mac(0)).sequence(1), &[2]);
    nothing(one);
    nothing(two);
}

#[test]
fn two_switches() {
    let sandbox = Sandbox::enter().unwrap();
    let one = lan(&sandbox, Kind::Vswitch, "one", 'a');
    let two = lan(&sandbox, Kind::Vswitch, "two", 'b');
    apart(&one, &two);
    assert_eq!(one.cli().rows(&["switch", "list"]).len(), 2);
    one.cli().ok(&["fdb", "flush", "one"]);
    assert_eq!(one.learned(), []);
    assert_eq!(two.learned().len(), 2);
    one.cli().ok(&["switch", "del", "one"]);
    two.expect(1, &Frame::new(two.mac(1), two.mac(0)), &[2]);
    two.expect(0, &Frame::broadcast(two.mac(2)), &[1, 2]);
    assert_eq!(two.cli().rows(&["switch", "list"]).len(), 1);
}

#[test]
fn a_switch_and_a_bridge() {
    let sandbox = Sandbox::enter().unwrap();
    let one = lan(&sandbox, Kind::Vswitch, "one", 'a');
    let two = lan(&sandbox, Kind::Bridge, "two", 'b');
    apart(&one, &two);
}

//! What the switch says about itself: descriptions, every knob that differs from its default, and one screen for all.

use vswitch_tests::{
    frame::{Frame, station},
    sandbox::Sandbox,
    topology::{Kind, Lan},
};

#[test]
fn a_switch_on_one_screen() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 3);
    lan.introduce();
    lan.cli().ok(&["fdb", "add", "lab", "02:00:00:00:07:01", lan.port(0)]);
    lan.expect(0, &Frame::new(lan.mac(0), lan.mac(1)), &[1]);
    lan.expect(0, &Frame::new(lan.mac(0), station(0x701)), &[]);
    lan.cli().ok(&["switch", "set", "lab", "description=the lab's own"]);
    lan.cli().ok(&["port", "set", "lab", lan.port(1), "state=blocking"]);
    let facts = lan.cli().json(&["switch", "show", "lab"]);
    assert_eq!(facts["description"], "the lab's own");
    assert_eq!(facts["port-states"], serde_json::json!({"forwarding": 2, "blocking": 1}));
    assert_eq!(facts["address-kinds"], serde_json::json!({"dynamic": 3, "local": 3, "static": 1}));
    let sum = |name: &str| {
        lan.cli()
            .rows(&["port", "list", "lab"])
            .iter()
            .map(|row| row["counters"][name].as_u64().unwrap())
            .sum::<u64>()
    };
    for name in ["rx_frames", "forwarded", "flooded", "tx_frames"] {
        assert_eq!(facts["counters"][name], sum(name), "{name}");
    }
    assert_eq!(facts["counters"]["drops"]["same-port"], 1);
    let text = lan.cli().ok(&["switch", "show", "lab"]).stdout;
    assert!(text.lines().count() <= 24 && text.lines().all(|line| line.len() <= 120), "{text}");
    for word in ["the lab's own", "2 forwarding", "1 static", "1 same-port", lan.port(2)] {
        assert!(text.contains(word), "{word} is missing in\n{text}");
    }
}

/// What a new port has is not mentioned; what was turned is, as it was written.
#[test]
fn knobs_that_differ() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 2);
    let line = |port: usize| {
        let text = lan.cli().ok(&["port", "list", "lab"]).stdout;
        text.lines().find(|line| line.split_whitespace().nth(1) == Some(lan.port(port))).unwrap().to_owned()
    };
    assert!(!line(0).contains('='), "{}", line(0));
    let turned = ["flood=off", "isolated=on", "pvid=none", "untagged=none", "tagged=10-20"];
    lan.cli().ok(&[&["port", "set", "lab", lan.port(0)], &turned[..]].concat());
    for word in turned {
        assert!(line(0).contains(word), "{word} is missing in {}", line(0));
    }
    assert!(!line(1).contains('='), "{}", line(1));
}

#[test]
fn descriptions() {
    let sandbox = Sandbox::enter().unwrap();
    let lan = Lan::new(&sandbox, Kind::Vswitch, 1);
    let of = |text: &str| format!("description={text}");
    lan.cli().ok(&["port", "set", "lab", lan.port(0), &of("to the roof, ünder the ☂")]);
    let described = || lan.cli().rows(&["port", "show", "lab", lan.port(0)])[0]["description"].clone();
    assert_eq!(described(), "to the roof, ünder the ☂");
    for wrong in [of(&"x".repeat(121)), of("two\nlines")] {
        let refused = lan.cli().run(&["port", "set", "lab", lan.port(0), &wrong]);
        assert_eq!(refused.code, Some(1), "{refused:?}");
    }
    assert_eq!(described(), "to the roof, ünder the ☂");
    // The next port in the same row begins without one.
    lan.cli().ok(&["port", "set", "lab", lan.port(0), &of("")]);
    assert_eq!(described(), "");
    lan.cli().ok(&["port", "set", "lab", lan.port(0), &of("old")]);
    lan.cli().ok(&["port", "del", "lab", lan.port(0)]);
    lan.cli().ok(&["port", "add", "lab", "new", "--tap"]);
    assert_eq!(lan.cli().rows(&["port", "show", "lab", "new"])[0]["description"], "");
}

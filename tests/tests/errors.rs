//! Bad input gets one clear line and exit code 1 or 2, and changes nothing.

use std::{os::unix::process::CommandExt, process::Stdio};

use nix::mount::{MntFlags, umount2};
use vswitch_tests::{
    inventory::Inventory,
    iproute::ip,
    sandbox::Sandbox,
    vswitch::{Cli, Output},
};

/// A switch `lab` with the ports `web` and `tap0`, a switch `other` with `far`, a bridge with the port `inbridge`, and
/// a free device `free`.
fn scene(sandbox: &Sandbox) -> Cli {
    let cli = Cli::find();
    sandbox.netns("mine").expect("namespace");
    for arguments in ["link add br0 type bridge", "link add free type veth peer name free-peer"] {
        ip(&arguments.split(' ').collect::<Vec<_>>());
    }
    ip(&["link", "add", "inbridge", "master", "br0", "type", "veth", "peer", "name", "outside"]);
    cli.ok(&["switch", "add", "lab"]);
    cli.ok(&["port", "add", "lab", "web", "--netns", "web", "--ip", "10.0.0.1/24"]);
    cli.ok(&["port", "add", "lab", "tap0", "--tap"]);
    cli.ok(&["switch", "add", "other"]);
    cli.ok(&["port", "add", "other", "far", "--netns", "far"]);
    cli
}

/// Each line is refused, says each of the words, and changes nothing.
fn all_refused(lines: &[(&str, &[&str])]) {
    let sandbox = Sandbox::enter().expect("sandbox");
    let cli = scene(&sandbox);
    let before = Inventory::take();
    let mut wrong = Vec::new();
    for (line, words) in lines {
        let arguments: Vec<&str> = line.split(' ').collect();
        let output = cli.run(&arguments);
        let mut complain = |what: &str| wrong.push(format!("`vswitch {line}` {what}: {output:?}"));
        if !matches!(output.code, Some(1 | 2)) {
            complain("was not refused");
        }
        if output.stderr.trim_end().lines().count() != 1 {
            complain("does not have one line on standard error");
        }
        if !output.stdout.is_empty() {
            complain("prints data");
        }
        for word in *words {
            if !output.stderr.contains(word) {
                complain(&format!("does not say `{word}`"));
            }
        }
        if Inventory::take() != before {
            complain(&format!("changed something from {before:#?} to {:#?}", Inventory::take()));
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn meters_and_mirrors() {
    all_refused(&[
        ("port set lab web storm-broadcast=5", &["`5`", "storm-broadcast", "; use ", "pps"]),
        ("port set lab web storm-multicast=0pps", &["0pps", "; use ", "1pps"]),
        ("port set lab web storm-unknown=10pps:64kb", &["10pps:64kb", "in frames"]),
        ("port set lab web police-in=10mbit:5p", &["10mbit:5p", "64kb"]),
        ("port set lab web police-out=on", &["`on`", "`off`"]),
        ("port add lab p --netns mine police-out=1bit", &["1bit", "8bit"]),
        ("port set lab web police=1mbit", &["`police`", "police-in"]),
        ("mirror list nosuch", &["nosuch"]),
        ("mirror del lab m", &["no mirror session `m`", "; ", "mirror add lab m"]),
        ("mirror add lab m --to nosuch --port web", &["nosuch", "`web`"]),
        ("mirror add lab m --to tap0 --port nosuch", &["nosuch"]),
        ("mirror add lab m --to tap0 --port tap0", &["tap0", "itself", "; "]),
        ("mirror add lab m --to tap0 --port web,tap0", &["tap0", "itself"]),
        ("mirror add lab m --to tap0", &["--port", "--vlan"]),
        ("mirror add lab m --to tap0 --vlan 5", &["VLAN", "vlan-filtering=on"]),
        ("mirror add lab m --to tap0 --vlan 4095", &["4095"]),
        ("mirror add lab m --to tap0 --port web --snap 63", &["63", "64"]),
        ("mirror add lab m --to tap0 --port web --sample 0", &["0"]),
        ("mirror add lab a.b --to tap0 --port web", &["a.b", "; "]),
        ("mirror add lab sixteen-letters- --to tap0 --port web", &["sixteen-letters-", "15"]),
        ("mirror add lab m --to tap0 --port web --direction up", &["up", "both"]),
    ]);
}

#[test]
fn unknown_names() {
    all_refused(&[
        ("switch del nosuch", &["nosuch"]),
        ("switch show nosuch", &["nosuch"]),
        ("switch set nosuch ageing=1", &["nosuch"]),
        ("port list nosuch", &["nosuch"]),
        ("port add nosuch p --netns mine", &["nosuch"]),
        ("port del nosuch web", &["nosuch"]),
        ("port del lab nosuch", &["nosuch", "lab"]),
        ("port show lab nosuch", &["nosuch"]),
        ("port set lab nosuch flood=off", &["nosuch"]),
        ("port del lab far", &["far"]),
        ("port add lab nosuch --dev", &["nosuch"]),
        ("port add lab p --pid 4194304", &["4194304"]),
        ("fdb list nosuch", &["nosuch"]),
        ("fdb flush nosuch", &["nosuch"]),
        ("fdb add lab 02:00:00:00:00:09 nosuch", &["nosuch"]),
        ("fdb del lab 02:00:00:00:00:09", &["02:00:00:00:00:09"]),
        ("neigh list nosuch", &["nosuch"]),
        ("neigh add nosuch 10.0.0.9 02:00:00:00:00:09", &["nosuch"]),
        ("neigh del lab 10.0.0.9", &["10.0.0.9"]),
        ("neigh add lab 10.0.0.9 02:00:00:00:00:09 --vlan 7", &["VLAN 7"]),
        ("ns del nosuch", &["nosuch"]),
        ("ns exec nosuch -- true", &["nosuch"]),
        ("ns pids nosuch", &["nosuch"]),
        ("link show nosuch", &["nosuch"]),
        ("link del nosuch", &["nosuch"]),
    ]);
}

#[test]
fn bad_names() {
    all_refused(&[
        ("switch add a/b", &["a/b"]),
        ("switch add a.b", &["a.b"]),
        ("switch add abcdefghijabcdefghijabcdefghijabc", &["32"]),
        ("port add lab abcdefghijklmnop --netns mine", &["abcdefghijklmnop", "15"]),
        ("port add lab a/b --netns mine", &["a/b"]),
        ("port add lab a:b --netns mine", &["a:b"]),
        ("port add lab p --netns a/b", &["a/b"]),
        ("port add lab p --netns ..", &[".."]),
        ("port add lab p --netns mine --ifname abcdefghijklmnop", &["abcdefghijklmnop", "15"]),
        ("port add lab p --netns mine --ifname a/b", &["a/b"]),
        ("port add lab abcdefghijk --host", &["abcdefghijk"]),
        ("ns add a/b", &["a/b"]),
        ("ns add ..", &[".."]),
    ]);
}

#[test]
fn taken() {
    all_refused(&[
        ("switch add lab", &["lab"]),
        ("port add lab web --netns mine", &["web", "lab"]),
        ("port add other web --netns mine", &["web", "lab"]),
        ("port add lab free --netns mine", &["free"]),
        ("port add lab inbridge --dev", &["inbridge", "br0"]),
        ("port add lab far --dev", &["far", "other"]),
        ("port add lab web --dev", &["web", "lab"]),
        ("port add lab lo --dev", &["lo"]),
        ("port add lab br0 --tap", &["br0"]),
        // In that namespace there is an `eth0` already.
        ("port add lab p --netns web", &["eth0", "web"]),
        ("port add lab p --host --ifname free", &["free"]),
        ("ns add mine", &["mine"]),
    ]);
}

#[test]
fn bad_values() {
    all_refused(&[
        ("port add lab p --netns mine --mac zz", &["zz"]),
        ("port add lab p --netns mine --mac 02:00:00:00:00", &["02:00:00:00:00"]),
        ("port add lab p --netns mine --mac 01:00:00:00:00:01", &["01:00:00:00:00:01"]),
        ("port add lab p --netns mine --mac ff:ff:ff:ff:ff:ff", &["ff:ff:ff:ff:ff:ff"]),
        ("port add lab p --netns mine --mac 00:00:00:00:00:00", &["00:00:00:00:00:00"]),
        ("port add lab p --netns mine --ip 10.0.0.1/33", &["10.0.0.1/33"]),
        ("port add lab p --netns mine --ip 10.0.0/24", &["10.0.0/24"]),
        ("port add lab p --netns mine --ip 10.0.0.300/24", &["10.0.0.300/24"]),
        ("port add lab p --netns mine --ip fd00::1/129", &["fd00::1/129"]),
        ("port add lab p --netns mine --ip 10.0.0.2/24 --via 10.1.0.1", &["10.1.0.1"]),
        ("port add lab p --netns mine --via 10.1.0.1", &["10.1.0.1"]),
        ("port add lab p --netns mine --ip 10.0.0.2/24 --via nonsense", &["nonsense"]),
        ("port add lab p --netns mine --mtu 67", &["67"]),
        ("port add lab p --netns mine --mtu 65536", &["65536"]),
        ("port add lab p --netns mine --mtu -1", &["-1"]),
        ("port add lab p --netns mine --mtu many", &["many"]),
        ("port add lab p --pid 0", &["0"]),
        ("port add lab p --pid -5", &["-5"]),
        ("port add lab p --netns mine --datapath fast", &["fast"]),
        ("port add lab p --netns mine flood=maybe", &["maybe"]),
        ("port add lab p --netns mine nosuch=on", &["nosuch"]),
        ("port add lab p --netns mine flood", &["flood"]),
        ("port set lab web flood=maybe", &["maybe"]),
        ("port set lab web nosuch=on", &["nosuch"]),
        ("switch set lab ageing=-1", &["-1"]),
        ("switch set lab ageing=soon", &["soon"]),
        ("switch set lab nosuch=1", &["nosuch"]),
        ("switch add new ageing=soon", &["soon"]),
        ("switch add new fdb-size=0", &["0"]),
        ("switch add new fdb-size=99999999999", &["99999999999"]),
        ("switch set lab group-fwd-mask=65536", &["65536"]),
        ("fdb add lab zz web", &["zz"]),
        ("neigh add lab 10.0.0.300 02:00:00:00:00:09", &["10.0.0.300"]),
        ("neigh add lab 10.0.0.9 zz", &["zz"]),
        ("neigh add lab 10.0.0.9 01:00:00:00:00:01", &["01:00:00:00:00:01"]),
        ("neigh add lab ff02::1 02:00:00:00:00:09", &["ff02::1"]),
        ("neigh add lab ::ffff:10.0.0.9 02:00:00:00:00:09", &["10.0.0.9"]),
        ("neigh flush lab --vlan 4095", &["4095"]),
        ("port set lab web backup-port=web", &["web"]),
        ("port set lab web group-fwd-mask=0x10000", &["0x10000"]),
        ("fdb add lab 01:00:00:00:00:01 web", &["01:00:00:00:00:01"]),
        ("fdb add lab 00:00:00:00:00:00 web", &["00:00:00:00:00:00"]),
        ("fdb add lab 02:00:00:00:00:09 web --vlan 4095", &["4095"]),
        ("fdb add lab 02:00:00:00:00:09 web --vlan 70000", &["70000"]),
        ("fdb add lab 02:00:00:00:00:09 web --vlan red", &["red"]),
    ]);
}

#[test]
fn bad_usage() {
    all_refused(&[
        ("nosuch", &["nosuch"]),
        ("switch nosuch", &["nosuch"]),
        ("switch add", &["SW"]),
        ("port add lab p", &["--netns"]),
        ("port add lab p --netns mine --tap", &["--tap"]),
        ("port add lab p --netns", &["--netns"]),
        ("switch list --nosuch", &["--nosuch"]),
    ]);
}

/// A half of a change is none: a good key before a bad one is not set.
#[test]
fn all_keys_or_none() {
    let sandbox = Sandbox::enter().expect("sandbox");
    let cli = scene(&sandbox);
    let options = || cli.rows(&["port", "list", "lab"])[0]["options"].clone();
    let before = options();
    cli.run(&["port", "set", "lab", "web", "flood=off", "learning=maybe"]).refused();
    assert_eq!(options(), before);
}

/// Root without a right in its bounding set: the message names the capability.
#[test]
fn missing_privilege() {
    let sandbox = Sandbox::enter().expect("sandbox");
    let cli = scene(&sandbox);
    let before = Inventory::take();
    for line in ["switch add new", "port add lab p --netns mine", "port del lab web"] {
        let arguments: Vec<&str> = line.split(' ').collect();
        let mut command = cli.command(&arguments);
        // SAFETY: between fork and exec only prctl is called, which is async-signal-safe.
        unsafe {
            command.pre_exec(|| {
                for capability in 0..64 {
                    // Beyond the last capability this fails, and there is nothing to drop.
                    libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0);
                }
                Ok(())
            });
        }
        let output = command.stdin(Stdio::null()).output().expect("start");
        let output = Output {
            command: format!("(without capabilities) vswitch {line}"),
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
        .refused();
        assert!(output.stderr.contains("CAP_"), "{output:?}");
        assert_eq!(before.changes(&Inventory::take()), [""; 0], "{output:?}");
    }
}

#[test]
fn bpffs_is_not_mounted() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    umount2("/sys/fs/bpf", MntFlags::empty()).expect("unmount");
    let cli = Cli::find();
    for arguments in [&["switch", "add", "lab"][..], &["switch", "list"], &["port", "list", "lab"]] {
        let output = cli.run(arguments).refused();
        assert!(output.stderr.contains("/sys/fs/bpf") && output.stderr.contains("mount"), "{output:?}");
    }
}

/// Everybody may write to many a bpffs: what somebody else put there is not trusted.
#[test]
fn a_foreign_state_directory() {
    let _sandbox = Sandbox::enter().expect("sandbox");
    let cli = Cli::find();
    std::os::unix::fs::symlink("/tmp", "/sys/fs/bpf/vswitch").expect("symlink");
    cli.run(&["switch", "add", "lab"]).refused();
    cli.run(&["switch", "list"]).refused();
    std::fs::remove_file("/sys/fs/bpf/vswitch").expect("remove");
    std::fs::create_dir("/sys/fs/bpf/vswitch").expect("create");
    std::os::unix::fs::chown("/sys/fs/bpf/vswitch", Some(65534), None).expect("chown");
    cli.run(&["switch", "add", "lab"]).refused();
}

//! What happens in a sandbox stays there and ends with it.

use std::{fs, io, process::Command, thread, time::Duration};

use vswitch_tests::sandbox::{NetNs, Sandbox, in_ns};

fn ip(args: &[&str]) -> String {
    let output = Command::new("ip").args(args).output().expect("iproute2 is installed");
    assert!(output.status.success(), "ip {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

fn inode() -> String {
    fs::read_link("/proc/thread-self/ns/net").expect("namespace").display().to_string()
}

/// Calls bpf(2) and gives the descriptor that it returns.
fn bpf(command: libc::c_int, attributes: &mut [u32; 32]) -> io::Result<libc::c_int> {
    // SAFETY: the attributes are larger than any that these commands read, and zero where unused.
    let code = unsafe { libc::syscall(libc::SYS_bpf, command, attributes.as_mut_ptr(), 72) };
    libc::c_int::try_from(code).ok().filter(|code| *code >= 0).ok_or_else(io::Error::last_os_error)
}

/// Makes a BPF map that only its pin keeps alive, and gives its identifier.
fn pin_a_map(path: &str) -> u32 {
    let path = std::ffi::CString::new(path).expect("path");
    // BPF_MAP_CREATE: an array, key and value of four bytes, one entry.
    let mut create = [0; 32];
    create[..4].copy_from_slice(&[2, 4, 4, 1]);
    let map = bpf(0, &mut create).expect("create a map");
    // BPF_OBJ_PIN: path, descriptor.
    let mut pin = [0; 32];
    let pointer = (path.as_ptr() as u64).to_ne_bytes();
    pin[0] = u32::from_ne_bytes(pointer[..4].try_into().expect("half"));
    pin[1] = u32::from_ne_bytes(pointer[4..].try_into().expect("half"));
    pin[2] = map.cast_unsigned();
    bpf(6, &mut pin).expect("pin the map");
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{map}")).expect("fdinfo");
    let id = info.lines().find_map(|line| line.strip_prefix("map_id:")).expect("map_id");
    // SAFETY: the descriptor is ours and not used after this.
    unsafe { libc::close(map) };
    id.trim().parse().expect("number")
}

/// Whether the kernel still has a map of that identifier, in whatever namespace it was made.
fn map_exists(id: u32) -> bool {
    // BPF_MAP_GET_FD_BY_ID
    let mut attributes = [0; 32];
    attributes[0] = id;
    let Ok(map) = bpf(14, &mut attributes) else {
        return false;
    };
    // SAFETY: the descriptor is ours and not used after this.
    unsafe { libc::close(map) };
    true
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    for _ in 0..500 {
        if done() {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
    panic!("not within ten seconds: {what}");
}

#[test]
fn a_sandbox_is_empty_and_apart() {
    let outside = inode();
    let sandbox = Sandbox::enter().unwrap();
    assert_ne!(inode(), outside);
    let links: Vec<serde_json::Value> = serde_json::from_str(&ip(&["-j", "link"])).unwrap();
    // Some kernels make fallback tunnels in every namespace; those are down and ours to ignore.
    let up: Vec<_> = links.iter().filter(|link| link["flags"].to_string().contains("\"UP\"")).collect();
    assert_eq!(up.len(), 1, "{links:?}");
    assert_eq!(up[0]["ifname"], "lo");
    assert_eq!(fs::read_dir("/run").unwrap().count(), 0);
    // The kernel itself may put iterators into every bpffs: `maps.debug` and `progs.debug`.
    let pins = fs::read_dir("/sys/fs/bpf").unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(pins.filter(|name| !name.to_string_lossy().ends_with(".debug")).count(), 0);
    assert!(fs::metadata("/sys/class/net/lo").is_ok());

    let ours = inode();
    let one = sandbox.netns("one").unwrap();
    assert_ne!(one.run(inode).unwrap(), ours);
    assert_eq!(in_ns("one", inode).unwrap(), one.run(inode).unwrap());
    assert_eq!(inode(), ours, "the calling thread stays where it is");
    assert!(sandbox.netns("one").is_err(), "a name is taken once");
    assert_eq!(ip(&["netns"]).trim(), "one");
    assert!(ip(&["-n", "one", "link", "show", "lo"]).contains("UP"));

    ip(&["netns", "add", "two"]);
    assert_ne!(in_ns("two", inode).unwrap(), one.run(inode).unwrap());
    one.delete().unwrap();
    assert_eq!(ip(&["netns"]).trim(), "two");
}

#[test]
fn sandboxes_do_not_see_each_other() {
    let _mine = Sandbox::enter().unwrap();
    let other = thread::spawn(|| {
        let sandbox = Sandbox::enter().unwrap();
        sandbox.netns("hidden").unwrap();
        fs::write("/run/note", "here").unwrap();
        pin_a_map("/sys/fs/bpf/hidden");
        (fs::metadata("/run/note").is_ok(), fs::metadata("/sys/fs/bpf/hidden").is_ok())
    });
    assert_eq!(other.join().unwrap(), (true, true));
    assert!(fs::metadata("/run/note").is_err());
    assert!(fs::metadata("/run/netns/hidden").is_err());
    assert!(fs::metadata("/sys/fs/bpf/hidden").is_err());
}

/// The thread ends without taking anything down. A veth pair with one end in the observer's namespace goes when the
/// namespace of the other end goes, so it tells from outside when that has happened.
#[test]
fn everything_vanishes_with_the_thread() {
    let _observer = Sandbox::enter().unwrap();
    // SAFETY: gettid has no preconditions.
    let here = unsafe { libc::gettid() }.to_string();
    let map = thread::spawn(move || {
        let sandbox = Sandbox::enter().unwrap();
        sandbox.netns("deep").unwrap();
        for (namespace, name) in [(None, "shallow"), (Some("deep"), "deep")] {
            let prefix: Vec<&str> = namespace.map_or(vec![], |name| vec!["-n", name]);
            let make = ["link", "add", "end", "type", "veth", "peer", "name", name, "netns", &here];
            ip(&[&prefix[..], &make[..]].concat());
        }
        let map = pin_a_map("/sys/fs/bpf/map");
        assert!(map_exists(map));
        assert!(ip(&["netns"]).contains("deep"));
        map
    })
    .join()
    .unwrap();
    eventually("both namespaces are gone", || {
        let links = ip(&["-o", "link"]);
        !links.contains("shallow") && !links.contains("deep")
    });
    eventually("the pinned map is gone", || !map_exists(map));
}

/// A panic is a way to end as well.
#[test]
fn a_panic_leaves_nothing() {
    let _observer = Sandbox::enter().unwrap();
    let here = NetNs::current().unwrap();
    let (sender, receiver) = std::sync::mpsc::channel();
    let outcome = thread::spawn(move || {
        let sandbox = Sandbox::enter().unwrap();
        sandbox.netns("deep").unwrap();
        sender.send(pin_a_map("/sys/fs/bpf/map")).unwrap();
        in_ns("deep", || panic!("on purpose")).unwrap();
    })
    .join();
    let panic = outcome.expect_err("the panic came through");
    assert_eq!(panic.downcast_ref::<&str>(), Some(&"on purpose"));
    let map = receiver.recv().unwrap();
    eventually("the pinned map is gone", || !map_exists(map));
    assert!(here.run(|| ip(&["netns"])).unwrap().is_empty());
}

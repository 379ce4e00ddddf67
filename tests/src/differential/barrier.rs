//! When everything that was sent has arrived.

use std::time::{Duration, Instant};

use crate::{
    frame::{Frame, station},
    iproute::ip,
    port::Port,
    sandbox::Sandbox,
};

/// A wire that no bridge and no switch is part of. Whatever the knobs are, a frame on it arrives, and not before what
/// waits on this CPU has had its turn: the kernel serves the queues of a CPU one after the other, a part of each
/// (`dev_weight`, 64 frames) at a time.
#[derive(Debug)]
pub struct Barrier {
    near: Port,
    far: Port,
}

/// Frames that may be sent before the next [`Barrier::wait`]: flooded to every port they do not overflow the CPU's
/// queue (`netdev_max_backlog`, 1,000 frames), even if they are all sent before the first is switched.
pub const CHUNK: usize = 50;
/// Turns that everything gets: twice what [`CHUNK`] frames and their copies need to go in and out.
const TURNS: u32 = 24;

impl Barrier {
    /// The calling thread must stay on one CPU from now on.
    pub fn new(sandbox: &Sandbox) -> Self {
        let namespace = sandbox.netns("barrier").expect("namespace");
        namespace.run(crate::device::no_ipv6).expect("enter");
        ip(&["-n", "barrier", "link", "add", "near", "type", "veth", "peer", "name", "far"]);
        for end in ["near", "far"] {
            ip(&["-n", "barrier", "link", "set", end, "arp", "off", "up"]);
        }
        let open = |end| Port::open(&namespace, end).expect("packet socket");
        Self { near: open("near"), far: open("far") }
    }

    /// Returns when what was sent before has arrived or is lost.
    ///
    /// # Panics
    /// When that takes unreasonably long.
    #[track_caller]
    pub fn wait(&self) {
        for turn in 0..TURNS {
            let mark = Frame::broadcast(station(0x7e00)).sequence(turn).build();
            self.near.send(&mark).expect("send the mark");
            let deadline = Instant::now() + Duration::from_secs(10);
            let got = self.far.receive(deadline).expect("receive the mark");
            assert_eq!(got, Some(mark), "the mark is lost");
        }
    }
}

//! Processes that are not like others: in a namespace without a name, or without a privilege.

#![allow(dead_code, reason = "each test uses its part")]

use std::{
    fs, io,
    os::unix::process::CommandExt,
    process::{Child, Command},
};

use vswitch_tests::wait;

/// A process in a namespace of its own that has no name.
pub struct Hermit(Child);

impl Hermit {
    /// Starts it and waits until it is there.
    pub fn new() -> Self {
        let outside = fs::read_link("/proc/thread-self/ns/net").unwrap();
        let child = Command::new("unshare").args(["--net", "sleep", "600"]).spawn().unwrap();
        let hermit = Self(child);
        let inside = || fs::read_link(format!("/proc/{}/ns/net", hermit.0.id())).unwrap();
        wait::until("the process is in its namespace", || inside() != outside);
        hermit
    }

    /// Its process identifier.
    pub fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Hermit {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The command without one capability, by its number in the kernel's `capability.h`.
pub fn without_capability(mut command: Command, capability: libc::c_ulong) -> Command {
    // SAFETY: prctl(2) may be called between fork and exec.
    unsafe {
        command.pre_exec(move || match libc::prctl(libc::PR_CAPBSET_DROP, capability) {
            0 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        });
    }
    command
}

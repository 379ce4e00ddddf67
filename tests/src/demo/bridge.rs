//! The Linux bridge to compare with: the same two namespaces and veth pairs, everything at its default.

use std::{net::Ipv4Addr, process::Command, thread};

use anyhow::{Context, Result, anyhow, ensure};

use super::tcp::Route;
use crate::sandbox::{NetNs, Sandbox};

const FROM: (&str, &str) = ("left", "10.78.0.1/24");
const TO: (&str, &str) = ("right", "10.78.0.2/24");
const TO_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 78, 0, 2);

/// A bridge in a sandbox of its own, which goes when this does.
#[derive(Debug)]
pub struct Bridge {
    /// From one side to the other.
    pub route: Route,
    /// Holds the bridge's namespace: the thread that made it is gone.
    _namespace: NetNs,
}

impl Bridge {
    /// Builds it with iproute2.
    ///
    /// # Errors
    /// When a command fails or iproute2 is not installed.
    pub fn build() -> Result<Self> {
        thread::spawn(build)
            .join()
            .map_err(|_| anyhow!("building the bridge panicked"))?
            .context("build the bridge")
    }
}

fn build() -> Result<Bridge> {
    let sandbox = Sandbox::enter()?;
    let (from, to) = (sandbox.netns(FROM.0)?, sandbox.netns(TO.0)?);
    ip("link add br0 type bridge")?;
    ip("link set br0 up")?;
    for (name, address) in [FROM, TO] {
        ip(&format!("link add {name} type veth peer name eth0 netns {name}"))?;
        ip(&format!("link set {name} master br0 up"))?;
        ip(&format!("-n {name} address add {address} dev eth0"))?;
        ip(&format!("-n {name} link set eth0 up"))?;
    }
    let route = Route { from, to, address: TO_ADDRESS };
    Ok(Bridge { route, _namespace: NetNs::current()? })
}

fn ip(line: &str) -> Result<()> {
    let output = Command::new("ip")
        .args(line.split_whitespace())
        .output()
        .context("`ip` does not run; install iproute2")?;
    ensure!(
        output.status.success(),
        "`ip {line}` failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(())
}

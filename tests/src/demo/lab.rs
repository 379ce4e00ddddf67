//! The switch of the demo, and who is connected to it.

use std::net::Ipv4Addr;

use anyhow::{Context, Result, bail};

use super::{
    reach::Station,
    screen,
    shell::Shell,
    tap_echo::{self, TapEcho},
    tcp::Route,
};
use crate::sandbox::NetNs;

/// Name of the switch.
pub const SWITCH: &str = "lab";
/// The tap's port and device.
const TAP: &str = "tap0";
const HOST: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 1);
const NAMESPACES: [(&str, Ipv4Addr); 3] = [
    ("web", Ipv4Addr::new(10, 77, 0, 2)),
    ("api", Ipv4Addr::new(10, 77, 0, 3)),
    ("db", Ipv4Addr::new(10, 77, 0, 4)),
];

/// The switch, up.
#[derive(Debug)]
pub struct Lab {
    tap: TapEcho,
}

impl Lab {
    /// Builds it with the commands that a user would type.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn build(shell: &Shell) -> Result<Self> {
        screen::heading("A switch with three namespaces, a host port and a tap port");
        shell.show(&["switch", "add", SWITCH])?;
        for (name, address) in NAMESPACES {
            shell.show(&["port", "add", SWITCH, name, "--netns", name, "--ip", &format!("{address}/24")])?;
        }
        shell.show(&["port", "add", SWITCH, "host0", "--host", "--ip", &format!("{HOST}/24")])?;
        shell.show(&["port", "add", SWITCH, TAP, "--tap"])?;
        let tap = TapEcho::start(TAP)?;
        screen::note(&format!(
            "The tap's other end is a small program that answers ARP and ICMP as {}.",
            tap_echo::ADDRESS
        ));
        Ok(Self { tap })
    }

    /// Stops before anything of another switch of that name is touched.
    ///
    /// # Errors
    /// When there is one.
    pub fn refuse_existing(shell: &Shell) -> Result<()> {
        if shell.run(&["switch", "show", SWITCH]).is_ok() {
            bail!("switch `{SWITCH}` exists already; remove it first with `vswitch switch del {SWITCH}`");
        }
        Ok(())
    }

    /// Takes down what a failure left half-built on the host.
    pub fn undo(shell: &Shell) {
        if let Err(error) = shell.run(&["switch", "del", SWITCH]) {
            eprintln!("demo: {error:#}");
        }
    }

    /// Everybody on the switch.
    pub fn stations(&self) -> Vec<Station<'_>> {
        let namespaces = NAMESPACES.map(|(name, address)| Station::Namespace { name, address });
        namespaces.into_iter().chain([Station::Host { address: HOST }, Station::Tap(&self.tap)]).collect()
    }

    /// From `web` to `api`.
    ///
    /// # Errors
    /// When a namespace is gone.
    pub fn route(&self) -> Result<Route> {
        let [(from, _), (to, address), _] = NAMESPACES;
        Ok(Route { from: NetNs::open(from)?, to: NetNs::open(to)?, address })
    }

    /// Takes it down with the commands that a user would type: one port by itself, the rest with the switch.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn take_down(self, shell: &Shell) -> Result<()> {
        self.tap.stop()?;
        shell.show(&["port", "del", SWITCH, NAMESPACES[0].0])?;
        shell.show(&["switch", "del", SWITCH])
    }

    /// Leaves everything up; the tap's peer goes on as a process of its own, whose number is returned.
    ///
    /// # Errors
    /// When that process cannot be started.
    pub fn leave(self) -> Result<u32> {
        self.tap.stop()?;
        tap_echo::detach(TAP).context("leave the tap's peer running")
    }
}

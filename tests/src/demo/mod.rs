//! The demo: a person's first impression of the project, and a test of the whole.
//!
//! It runs the real `vswitch` command as a user would, in a [`Sandbox`], and ends with an error when any pair of
//! stations cannot reach each other or anything is left behind. With `--keep` it builds the switch on the host.

use anyhow::{Result, ensure};

use crate::sandbox::Sandbox;

pub mod bpf;
pub mod bridge;
pub mod census;
pub mod compare;
pub mod lab;
pub mod packet;
pub mod ping;
pub mod reach;
pub mod screen;
pub mod shell;
pub mod tap_echo;
pub mod tcp;
pub mod watch;

use census::Census;
use lab::Lab;
use shell::Shell;
use watch::Watch;

/// Runs the demo, in a sandbox or, to be kept, on the host.
///
/// # Errors
/// When a command fails, a pair is unreachable, something is left behind, or it all takes too long.
pub fn run(keep: bool) -> Result<()> {
    let watch = Watch::start()?;
    let shell = Shell::find()?;
    screen::title("vswitch: a Linux switch whose data plane is eBPF");
    if keep {
        screen::note("This is built on the host and stays up.");
        let done = on_the_host(&shell, &watch);
        if done.is_err() {
            watch.undo();
        }
        return done;
    }
    screen::note("Everything happens in namespaces of this demo's own; the host is not touched.");
    let _sandbox = Sandbox::enter()?;
    let before = Census::take()?;
    let lab = Lab::build(&shell)?;
    show(&shell, &lab)?;
    let during = Census::take()?;
    screen::heading("Take it down");
    lab.take_down(&shell)?;
    let after = Census::settle(&before, &during)?;
    census::show(&before, &during, &after);
    ensure!(after.is_like(&before), "something is left behind; see the table above");
    screen::good("Nothing is left.");
    Ok(())
}

fn on_the_host(shell: &Shell, watch: &Watch) -> Result<()> {
    Lab::refuse_existing(shell)?;
    let undo = shell.clone();
    watch.on_failure(move || Lab::undo(&undo));
    let lab = Lab::build(shell)?;
    show(shell, &lab)?;
    let peer = lab.leave()?;
    watch.disarm();
    screen::heading("It stays up");
    screen::note(&format!("Try it (vswitch is {}):", shell.path().display()));
    screen::command(&format!("vswitch port list {}", lab::SWITCH));
    screen::command("ip netns exec web ping 10.77.0.5");
    screen::note("Take it down:");
    screen::command(&format!("kill {peer}    # the peer of the tap"));
    screen::command(&format!("vswitch switch del {}", lab::SWITCH));
    Ok(())
}

fn show(shell: &Shell, lab: &Lab) -> Result<()> {
    screen::heading("Everybody pings everybody");
    shell.prove_absent()?;
    let missing = reach::show(&lab.stations())?;
    ensure!(missing.is_empty(), "no answer: {}", missing.join(", "));

    screen::heading("TCP from web to api, and through a Linux bridge");
    compare::show(&lab.route()?)?;
    shell.prove_absent()?;

    screen::heading("What the switch knows");
    shell.show(&["fdb", "list", lab::SWITCH])?;
    shell.show(&["port", "list", lab::SWITCH])
}

//! Installing Debian packages, with a reason.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Result, bail};

use crate::{
    command::{self, step},
    privilege,
};

/// Installs packages without asking.
pub fn install<S: AsRef<str>>(packages: &[S], why: &str) -> Result<()> {
    if !Path::new("/etc/debian_version").is_file() {
        bail!("this is not Debian, so its packages were not tried");
    }
    privilege::require_root("setup", "needs root to install Debian packages")?;
    let names: Vec<&str> = packages.iter().map(AsRef::as_ref).collect();
    step("Installing", &format!("{} ({why})", names.join(", ")));
    if names.iter().any(|name| !is_known(name)) {
        command::run(apt_get(&["update"]))?;
    }
    command::run(apt_get(&[&["install", "-y", "--no-install-recommends"], &names[..]].concat()))
}

/// An image of a container often comes without any package lists.
fn is_known(package: &str) -> bool {
    command::ask("apt-cache", &["show", package]).is_some_and(|text| !text.trim().is_empty())
}

fn apt_get(arguments: &[&str]) -> Command {
    let mut command = Command::new("apt-get");
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

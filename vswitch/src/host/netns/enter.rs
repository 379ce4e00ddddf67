//! Making the calling process see the world as from inside a namespace, exactly as `ip netns exec` does.

use std::{fs, io, path::Path};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, unshare},
    sys::statvfs::{FsFlags, statvfs},
};

use super::{HostError, Netns};
use crate::name::NsName;

/// Enters a namespace for good: the calling thread's network, a mount namespace of its own with a `/sys` that shows
/// the namespace's devices, and the files of `/etc/netns/NAME` in the place of those in `/etc`.
///
/// Meant to be followed by `exec`.
pub fn enter_like_ip(ns: &Netns, name: Option<&NsName>) -> Result<(), HostError> {
    let refused = |doing: &str, errno| HostError::system(doing, errno, "CAP_SYS_ADMIN");
    ns.enter()?;
    unshare(CloneFlags::CLONE_NEWNS).map_err(|errno| refused("make a mount namespace", errno))?;
    let none = None::<&str>;
    // What is mounted from here on stays here; what others mount is still seen.
    mount(none, "/", none, MsFlags::MS_SLAVE | MsFlags::MS_REC, none)
        .map_err(|errno| refused("detach the mounts from the host's", errno))?;
    remount_sys().map_err(|errno| refused("mount `/sys` for the namespace", errno))?;
    if let Some(name) = name {
        bind_etc(name)?;
    }
    Ok(())
}

fn remount_sys() -> nix::Result<()> {
    let read_only = statvfs("/sys").is_ok_and(|stat| stat.flags().contains(FsFlags::ST_RDONLY));
    match umount2("/sys", MntFlags::MNT_DETACH) {
        Ok(()) | Err(Errno::EINVAL) => {}
        Err(errno) => return Err(errno),
    }
    let flags = if read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
    mount(Some("vswitch"), "/sys", Some("sysfs"), flags, None::<&str>)
}

fn bind_etc(name: &NsName) -> Result<(), HostError> {
    let own = Path::new("/etc/netns").join(name.as_str());
    let entries = match fs::read_dir(&own) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries
            .map_err(|source| HostError::System { doing: format!("list `{}`", own.display()), source })?,
    };
    for entry in entries.filter_map(Result::ok) {
        let target = Path::new("/etc").join(entry.file_name());
        let bound = mount(Some(&entry.path()), &target, None::<&str>, MsFlags::MS_BIND, None::<&str>);
        if let Err(errno) = bound {
            // As `ip netns exec`: the command runs all the same.
            tracing::warn!(
                "cannot put `{}` over `{}`: {}",
                entry.path().display(),
                target.display(),
                errno.desc()
            );
        }
    }
    Ok(())
}

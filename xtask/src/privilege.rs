//! Tasks that make network namespaces need root.

use anyhow::{Result, bail};
use nix::unistd::Uid;

/// Stops a task that needs root, saying how to run it.
pub fn require_root(task: &str, why: &str) -> Result<()> {
    if !Uid::effective().is_root() {
        bail!("`cargo xtask {task}` {why}; run `sudo env PATH=\"$PATH\" HOME=\"$HOME\" cargo xtask {task}`");
    }
    Ok(())
}

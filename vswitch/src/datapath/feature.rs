//! What the kernel must have, told before anything is made.

use aya::util::KernelVersion;

use super::DatapathError;

/// A feature and the version that brought it.
struct Feature {
    name: &'static str,
    major: u8,
    minor: u8,
}

/// What every switch needs, newest last.
const NEEDED: [Feature; 3] = [
    Feature { name: "redirecting into another namespace (bpf_redirect_peer)", major: 5, minor: 10 },
    Feature { name: "the identity of a network namespace (SO_NETNS_COOKIE)", major: 5, minor: 14 },
    Feature { name: "flooding to any number of ports (bpf_loop)", major: 5, minor: 17 },
];

/// Refuses a kernel that is too old, naming what it lacks.
pub fn check() -> Result<(), DatapathError> {
    match KernelVersion::current() {
        Ok(running) => check_version(running),
        // A kernel that does not tell its version is asked by loading the program.
        Err(_) => Ok(()),
    }
}

fn check_version(running: KernelVersion) -> Result<(), DatapathError> {
    for Feature { name, major, minor } in NEEDED {
        if running < KernelVersion::new(major, minor, 0) {
            return Err(DatapathError::Kernel {
                feature: name,
                needed: format!("{major}.{minor}"),
                running: running.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_told_what_it_lacks() {
        assert!(check_version(KernelVersion::new(6, 1, 0)).is_ok());
        assert!(check_version(KernelVersion::new(5, 17, 0)).is_ok());
        let error = check_version(KernelVersion::new(5, 15, 3)).expect_err("too old").to_string();
        assert!(
            error.contains("bpf_loop") && error.contains("Linux 5.17") && error.contains("5.15"),
            "{error}"
        );
        let error = check_version(KernelVersion::new(5, 4, 0)).expect_err("too old").to_string();
        assert!(error.contains("bpf_redirect_peer"), "{error}");
    }
}

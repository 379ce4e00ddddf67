//! What a test may ask of the machine. A missing thing fails the test; the only legal skip is a kernel that is older
//! than the feature, and it is said aloud.

use nix::sys::utsname::uname;

/// Version of the running kernel.
///
/// # Panics
/// When the kernel does not say.
pub fn kernel() -> (u32, u32) {
    let name = uname().expect("uname");
    let release = name.release().to_string_lossy().into_owned();
    let mut parts = release.split(|c: char| !c.is_ascii_digit()).map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Whether the running kernel has a feature that came with version `major.minor`; says so if not. On a newer kernel
/// the answer is always yes, so the test then fails where the feature is missing for another reason.
pub fn kernel_has(feature: &str, major: u32, minor: u32) -> bool {
    let running = kernel();
    let has = running >= (major, minor);
    if !has {
        println!("skipped: {feature} needs Linux {major}.{minor}, this is {}.{}", running.0, running.1);
    }
    has
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_kernel_has_a_version() {
        assert!(kernel() > (4, 0));
        assert!(kernel_has("anything", 4, 0));
        assert!(!kernel_has("nothing", 999, 0));
    }
}

//! Mirror sessions, from user space.

use vswitch_common::{map::MIRROR_SESSIONS, mirror::MirrorSession};

use super::{DatapathError, Tables};

impl Tables {
    /// All sessions with their numbers; free ones are left out.
    pub fn mirror_sessions(&self) -> Result<Vec<(u8, MirrorSession)>, DatapathError> {
        let mut found = Vec::new();
        for (number, index) in (0..MIRROR_SESSIONS).zip(0_u8..) {
            let session = self.mirrors.get(&number, 0)?;
            if session.ifindex != 0 {
                found.push((index, session));
            }
        }
        Ok(found)
    }

    /// Writes a session; nothing is copied before a port or the switch has its bit.
    pub fn set_mirror_session(&mut self, index: u8, session: &MirrorSession) -> Result<(), DatapathError> {
        Ok(self.mirrors.set(u32::from(index), session, 0)?)
    }
}

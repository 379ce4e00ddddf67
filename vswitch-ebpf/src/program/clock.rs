//! The kernel's clock, for the controller.

use super::{helper, tables};

/// Writes the jiffies of now into the switch's state.
#[inline(always)]
pub fn note() {
    tables::carry();
    if let Some(state) = tables::state() {
        state.jiffies = helper::jiffies();
    }
}

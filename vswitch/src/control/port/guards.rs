//! Limits and guards of a port: applied, undone, shown.

use serde::Serialize;
use vswitch_common::{
    link::ShutReason,
    port::{MoveGuard, PortConfig, PortState, Slot, flag},
    request::{Selector, only},
};

use crate::{
    config::port::guards::{Guards, move_guard_word},
    control::{ControlError, Opened, opened::PortRow},
};

/// Why a port is shut, and for how long.
#[derive(Debug, Serialize)]
pub struct ShutView {
    /// `bpdu`, `moves` or `loop`.
    pub reason: &'static str,
    /// Milliseconds until it opens by itself; `null` if only the user opens it.
    pub left_ms: Option<u64>,
}

/// What is learned behind a port, and what it is guarded by.
#[derive(Debug, Serialize)]
pub struct GuardView {
    /// Addresses learned behind the port.
    pub macs: u64,
    /// How many there may be; 0 = no limit of its own.
    pub max_macs: u32,
    /// `off`, `log`, `hold` or `shut`.
    pub move_guard: &'static str,
    /// Set while a guard keeps the port shut.
    pub shut: Option<ShutView>,
}

impl ShutView {
    /// For the column `state`.
    pub fn text(&self) -> String {
        match self.left_ms {
            Some(left) => format!("shut ({}, {} s left)", self.reason, left.div_ceil(1000)),
            None => format!("shut ({}, until opened)", self.reason),
        }
    }
}

/// Puts what was asked for in a port's row.
///
/// # Errors
/// When the row would have `mab` without what it needs; as `bridge link set` refuses it.
pub fn apply(guards: &Guards, port: &mut PortConfig) -> Result<(), ControlError> {
    if port.has(flag::MAB) && !port.has(flag::LOCKED | flag::LEARNING) {
        return Err(ControlError::Mab);
    }
    if let Some(limit) = guards.max_macs {
        port.max_macs = limit;
    }
    if let Some(guard) = guards.move_guard {
        port.move_guard = guard as u8;
    }
    Ok(())
}

/// What follows when a row has changed: a port that is set forwarding opens, and what was noted for `mab` goes with it.
pub fn settle(
    opened: &mut Opened,
    slot: Slot,
    before: &PortConfig,
    after: &PortConfig,
    state: Option<PortState>,
) -> Result<(), ControlError> {
    if state == Some(PortState::Forwarding) {
        opened.tables.open_port(slot)?;
    }
    if before.has(flag::MAB) && !after.has(flag::MAB) {
        opened.tables.fdb_sweep(Selector { slot, only: only::LOCKED, ..Selector::EVERYTHING })?;
    }
    Ok(())
}

/// The same, for people and scripts.
pub fn view(opened: &Opened, row: &PortRow) -> Result<GuardView, ControlError> {
    let link = opened.tables.link(row.slot)?;
    let shut = if link.shut_reason == ShutReason::None as u8 { None } else { link.shut_for(opened.now()?) };
    let hz = u64::from(opened.config.hz.max(1));
    Ok(GuardView {
        macs: link.count(),
        max_macs: row.port.max_macs,
        move_guard: move_guard_word(MoveGuard::from_u8(row.port.move_guard)),
        shut: shut.map(|(reason, left)| ShutView {
            reason: reason.word(),
            left_ms: (left != u64::MAX).then(|| left.saturating_mul(1000) / hz),
        }),
    })
}

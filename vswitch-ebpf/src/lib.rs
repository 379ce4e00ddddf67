//! The data plane's decisions, as pure functions: they get values, not maps, so that they compile and are tested on
//! the host. The program in `main.rs` looks values up at the edge and asks them.
//!
//! A frame's journey:
//!
//! 1. [`frame`]: its two addresses are read, once.
//! 2. The flow verdict cache answers, or else
//! 3. [`stage::admit`]: may it enter by this port?
//! 4. [`stage::learn`]: is there something to remember about its source?
//! 5. [`stage::forward`]: to which port does it go, or is it flooded?
//! 6. [`stage::egress`]: may it leave by that port?
//! 7. The [`outcome::Outcome`] becomes an action and a counter, exactly one for each frame.
#![no_std]
#![warn(clippy::wildcard_enum_match_arm)]

#[cfg(test)]
extern crate std;

pub mod frame;
pub mod outcome;
pub mod stage;

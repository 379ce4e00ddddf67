//! What a half-made port must give back.

use std::collections::BTreeSet;

use vswitch_common::{
    port::{PortConfig, Slot},
    record::PortRecord,
};

use super::rows;
use crate::{
    control::Opened,
    datapath::attach,
    host::{Host, netns},
    name::{IfName, NsName},
};

/// One step back.
#[derive(Debug)]
pub enum Step {
    /// Delete a namespace that we made.
    Netns(NsName),
    /// Delete a link that we made.
    Link(u32),
    /// Take an adopted device out of promiscuous mode.
    Promiscuous(u32),
    /// Set an adopted device down again.
    Down(u32),
    /// Clear a port's rows.
    Rows(Slot),
    /// Detach the program.
    Attached(Slot, IfName),
}

/// The steps back so far, newest last.
#[derive(Debug, Default)]
pub struct Undo(Vec<Step>);

impl Undo {
    /// Remembers a step.
    pub fn push(&mut self, step: Step) {
        self.0.push(step);
    }

    /// Goes all steps back. What fails is only told: the error that led here is the one that matters.
    pub async fn run(self, host: &Host, opened: &mut Opened) {
        for step in self.0.into_iter().rev() {
            if let Err(error) = back(&step, host, opened).await {
                tracing::warn!("cannot undo {step:?}: {error:#}");
            }
        }
    }
}

async fn back(step: &Step, host: &Host, opened: &mut Opened) -> anyhow::Result<()> {
    match step {
        Step::Netns(name) => netns::delete(name)?,
        Step::Link(index) => {
            // A device that vanished half-way needs no deleting.
            if host.link_by_index(*index).await?.is_some() {
                host.delete_link(*index).await?;
            }
        }
        Step::Promiscuous(index) => host.set_promiscuous(*index, false).await?,
        Step::Down(index) => host.set_up(*index, false).await?,
        Step::Rows(slot) => {
            let PortConfig { incarnation, ifindex, .. } = opened.tables.port(*slot)?;
            opened.tables.clear_index(ifindex)?;
            opened.tables.set_port(*slot, &PortConfig { incarnation, ..PortConfig::EMPTY })?;
            opened.tables.fdb_remove_port(*slot)?;
            rows::forget(opened, *slot)?;
            rows::forget_references(opened, &BTreeSet::from([*slot]))?;
            opened.tables.set_record(*slot, &PortRecord::EMPTY)?;
        }
        Step::Attached(slot, name) => attach::detach(&opened.directory, *slot, Some(name.as_str()))?,
    }
    Ok(())
}

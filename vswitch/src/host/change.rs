//! Several changes to one link: all of them, or none.

use ipnet::IpNet;
use rtnetlink::packet_route::address::AddressMessage;
use vswitch_common::addr::MacAddr;

use super::{Host, HostError, Link, snapshot::renewed};
use crate::name::IfName;

/// One change to a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Another name.
    Name(IfName),
    /// Another MTU, in bytes of layer 3.
    Mtu(u32),
    /// Another Ethernet address.
    Mac(MacAddr),
    /// Into this bridge, bond or VRF, or out of it.
    Master(Option<u32>),
    /// One address less.
    DelAddress(IpNet),
    /// One address more.
    AddAddress(IpNet),
    /// Up or down. Give it last: what going down loses (IPv6 addresses, routes) is not brought back.
    Up(bool),
}

/// How to take one back.
enum Undo {
    Change(Change),
    Address(Box<AddressMessage>),
    Nothing,
}

impl Host {
    /// Makes the changes in this order. If one fails, those before it are taken back.
    pub async fn apply(&self, link: &Link, changes: &[Change]) -> Result<(), HostError> {
        let mut done = Vec::new();
        for change in changes {
            let step = async {
                let undo = self.undo_of(link, change).await?;
                self.make(link.index, change).await?;
                Ok(undo)
            };
            match step.await {
                Ok(undo) => done.push(undo),
                Err(failure) => return Err(self.take_back(link.index, done, failure).await),
            }
        }
        Ok(())
    }

    /// Takes changes back that were made to a link as it was described by `link`.
    pub(super) async fn revert(&self, link: &Link, changes: &[Change], failure: HostError) -> HostError {
        let mut done = Vec::new();
        for change in changes {
            // The address is gone, so its description is too; it is made anew.
            done.push(match change {
                Change::DelAddress(ip) => Undo::Change(Change::AddAddress(*ip)),
                other => self.undo_of(link, other).await.unwrap_or(Undo::Nothing),
            });
        }
        self.take_back(link.index, done, failure).await
    }

    async fn undo_of(&self, link: &Link, change: &Change) -> Result<Undo, HostError> {
        Ok(match change {
            Change::Name(_) => {
                link.name.parse().map_or(Undo::Nothing, |name| Undo::Change(Change::Name(name)))
            }
            Change::Mtu(_) => Undo::Change(Change::Mtu(link.mtu)),
            Change::Mac(_) => link.mac.map_or(Undo::Nothing, |mac| Undo::Change(Change::Mac(mac))),
            Change::Master(_) => Undo::Change(Change::Master(link.master)),
            Change::AddAddress(ip) => Undo::Change(Change::DelAddress(*ip)),
            Change::DelAddress(ip) => {
                Undo::Address(Box::new(self.address_message_of(link.index, *ip).await?))
            }
            Change::Up(_) => Undo::Change(Change::Up(link.up)),
        })
    }

    async fn make(&self, index: u32, change: &Change) -> Result<(), HostError> {
        match change {
            Change::Name(name) => self.set_name(index, name).await,
            Change::Mtu(mtu) => self.set_mtu(index, *mtu).await,
            Change::Mac(mac) => self.set_mac(index, *mac).await,
            Change::Master(master) => self.set_master(index, *master).await,
            Change::DelAddress(ip) => self.del_address(index, *ip).await,
            Change::AddAddress(ip) => self.add_address(index, *ip).await,
            Change::Up(up) => self.set_up(index, *up).await,
        }
    }

    async fn take_back(&self, index: u32, done: Vec<Undo>, failure: HostError) -> HostError {
        let mut failures = Vec::new();
        for undo in done.into_iter().rev() {
            let result = match undo {
                Undo::Change(change) => self.make(index, &change).await,
                Undo::Address(message) => {
                    let answer = self.add_address_message(renewed(&message, index)).await;
                    answer.map_err(|refusal| refusal.error("give the address back"))
                }
                Undo::Nothing => Ok(()),
            };
            failures.extend(result.err().map(|error| error.to_string()));
        }
        if failures.is_empty() {
            failure
        } else {
            HostError::NotUndone { failure: Box::new(failure), undo: failures.join(", ") }
        }
    }
}

//! What a command can be refused for.

use thiserror::Error;

use crate::{
    config::{acl::AclError, keys::KeyError},
    datapath::DatapathError,
    host::HostError,
};

/// A refusal; nothing was changed, or what was is undone.
#[derive(Debug, Error)]
pub enum ControlError {
    /// The kernel's BPF.
    #[error(transparent)]
    Datapath(#[from] DatapathError),
    /// The kernel's links and namespaces.
    #[error(transparent)]
    Host(#[from] HostError),
    /// A `key=value` word.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A rule.
    #[error(transparent)]
    Acl(#[from] AclError),
    /// A line of a file.
    #[error("line {line}: {error}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        error: Box<ControlError>,
    },
    /// Nothing is known about who is behind a port.
    #[error("no address is bound to port `{0}`; write it, such as `spoof-check=02:00:00:00:00:01,10.0.0.2`")]
    Unbound(String),
    /// No such rule.
    #[error(
        "switch `{switch}` has no rule {number}, it has {rules}; list them with `vswitch acl list {switch}`"
    )]
    NoRule {
        /// The switch.
        switch: String,
        /// The number.
        number: usize,
        /// How many there are.
        rules: usize,
    },
    /// The command runs where the switch is not.
    #[error(
        "switch `{0}` lives in another network namespace; run the command there, or, if that has ended, forget the \
         switch with `vswitch switch del {0} --force`"
    )]
    Elsewhere(String),
    /// No such port.
    #[error("switch `{switch}` has no port `{port}`; {remedy}")]
    NoPort {
        /// The switch.
        switch: String,
        /// The port.
        port: String,
        /// What to do.
        remedy: String,
    },
    /// The device is a port already.
    #[error(
        "port `{port}` already belongs to switch `{switch}`; remove it first with `vswitch port del {switch} {port}`"
    )]
    PortTaken {
        /// The port.
        port: String,
        /// Its switch.
        switch: String,
    },
    /// The name is a device already.
    #[error("interface `{0}` already exists; choose another port name, or adopt the interface with `--dev`")]
    LinkExists(String),
    /// The interface for the other end exists.
    #[error("interface `{ifname}` already exists {place}; choose another one with `--ifname`")]
    PeerExists {
        /// The interface.
        ifname: String,
        /// Where it exists.
        place: String,
    },
    /// The device belongs to a bridge or a bond.
    #[error("interface `{port}` belongs to `{master}`; take it out with `ip link set {port} nomaster`")]
    Enslaved {
        /// The device.
        port: String,
        /// Its master.
        master: String,
    },
    /// A device that cannot be a port.
    #[error("interface `{port}` is {what}, which cannot be a port; use {remedy}")]
    Unsuitable {
        /// The device.
        port: String,
        /// What it is.
        what: &'static str,
        /// What to use instead.
        remedy: &'static str,
    },
    /// The gateway cannot be reached.
    #[error("gateway {gateway} is outside {nets}; give it an address of the same subnet")]
    Gateway {
        /// The gateway.
        gateway: String,
        /// The subnets of the interface.
        nets: String,
    },
    /// A group or zero address where a station's is needed.
    #[error("{mac} is {what} address, which no station has; use one like 02:00:00:00:00:01")]
    NotStation {
        /// The address.
        mac: String,
        /// The kind of address.
        what: &'static str,
    },
    /// An address that ages, behind a port that does not learn: it could never be refreshed.
    #[error(
        "port `{port}` is {state}, where nothing that ages is kept; set it to `learning` or `forwarding`, or add {mac} \
         without `--sticky`"
    )]
    NotLearning {
        /// The port.
        port: String,
        /// Its state.
        state: &'static str,
        /// The address.
        mac: String,
    },
    /// The address is not in the FDB.
    #[error("switch `{switch}` has no address {mac}{vlan}; list them with `vswitch fdb list {switch}`")]
    NoAddress {
        /// The switch.
        switch: String,
        /// The address.
        mac: String,
        /// ` in VLAN n`, or nothing.
        vlan: String,
    },
    /// The address is a port's own.
    #[error("{mac} is the address of port `{port}` itself; choose another one")]
    LocalAddress {
        /// The address.
        mac: String,
        /// The port.
        port: String,
    },
    /// `mab` alone does nothing.
    #[error(
        "`mab=on` needs a port that is locked and learns; give `locked=on learning=on` as well, or `mab=off`"
    )]
    Mab,
    /// Somebody has added the address before.
    #[error("{mac}{vlan} is behind port `{port}` already; change that with `vswitch fdb replace`")]
    AddressExists {
        /// The address.
        mac: String,
        /// ` in VLAN n`, or nothing.
        vlan: String,
        /// The port.
        port: String,
    },
    /// The port has its share.
    #[error(
        "port `{port}` has its {limit} addresses; raise the limit with `vswitch port set {switch} {port} max-macs=`"
    )]
    Limited {
        /// The switch.
        switch: String,
        /// The port.
        port: String,
        /// Its limit.
        limit: u32,
    },
    /// The port is in no VLAN at all.
    #[error("port `{port}` is in no VLAN, so no address is behind it; put it in one with `vswitch vlan add`")]
    Nowhere {
        /// The port.
        port: String,
    },
    /// An option that does not go with the port's kind.
    #[error("{option} does not go with a {kind} port; {remedy}")]
    Option {
        /// The option.
        option: &'static str,
        /// The kind of port.
        kind: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// Out of the range that Ethernet devices have.
    #[error("MTU {mtu} is out of range; use 68 to 65535")]
    Mtu {
        /// The MTU.
        mtu: u32,
    },
    /// An address that no neighbour has.
    #[error("{ip} is {what}, which no neighbour has; use one like 10.0.0.2 or fd00::2")]
    NotNeigh {
        /// The address.
        ip: String,
        /// The kind of address.
        what: &'static str,
    },
    /// The neighbour is known.
    #[error("switch `{switch}` knows {ip} as {mac} already; use `vswitch neigh replace {switch} {ip} MAC`")]
    NeighExists {
        /// The switch.
        switch: String,
        /// The address.
        ip: String,
        /// Who has it.
        mac: String,
    },
    /// The neighbour is not known.
    #[error("switch `{switch}` has no neighbour {ip}{vlan}; list them with `vswitch neigh list {switch}`")]
    NoNeigh {
        /// The switch.
        switch: String,
        /// The address.
        ip: String,
        /// ` in VLAN n`, or nothing.
        vlan: String,
    },
    /// There are no VLANs.
    #[error("switch `{switch}` does not filter VLANs, so nobody is in VLAN {vlan}; leave --vlan out")]
    NeighVlan {
        /// The switch.
        switch: String,
        /// The VLAN.
        vlan: u16,
    },
    /// A port that is to take over for itself.
    #[error("port `{0}` cannot be its own backup; name another port of the switch, or `backup-port=none`")]
    OwnBackup(String),
    /// As `br_vlan_set_default_pvid` of Linux.
    #[error(
        "`default-pvid` cannot change while VLANs are filtered, since it moves ports; turn that off first with \
         `vswitch switch set {0} vlan-filtering=off`"
    )]
    DefaultPvid(String),
    /// Untagged frames are of one VLAN.
    #[error(
        "untagged frames can be of one VLAN only, not of {0}; name one with `--pvid`, and add the others without"
    )]
    ManyPvids(String),
    /// A VLAN that the port is not in.
    #[error("port `{port}` is not in VLAN {vid}; it is in {vids}")]
    NoVlan {
        /// The port.
        port: String,
        /// The VLAN.
        vid: String,
        /// Its VLANs.
        vids: String,
    },
    /// Out of the range of VLAN identifiers.
    #[error(
        "VLAN {0} is not 0: the switch does not filter VLANs, so all addresses are in VLAN 0; leave --vlan out"
    )]
    Vlan(u16),
    /// The name of a mirror session is taken.
    #[error(
        "switch `{switch}` already has a mirror session `{name}`; end it first with `vswitch mirror del {switch} {name}`"
    )]
    MirrorExists {
        /// The switch.
        switch: String,
        /// The session.
        name: String,
    },
    /// No such mirror session.
    #[error("switch `{switch}` has no mirror session `{name}`; {remedy}")]
    NoMirror {
        /// The switch.
        switch: String,
        /// The session.
        name: String,
        /// What to do.
        remedy: String,
    },
    /// All mirror sessions are taken.
    #[error(
        "switch `{0}` has 8 mirror sessions already; end one of those that `vswitch mirror list {0}` shows"
    )]
    MirrorsFull(String),
    /// A port's copies to the port itself.
    #[error("port `{0}` cannot get copies of what it carries itself; name another port with `--to`")]
    MirrorItself(String),
    /// A session about a VLAN on a switch that knows none.
    #[error(
        "switch `{0}` does not look at VLANs; leave --vlan out, or `vswitch switch set {0} vlan-filtering=on`"
    )]
    MirrorVlan(String),
    /// No VLAN identifier.
    #[error(
        "VLAN 0 is none: the switch filters VLANs; name one from 1 to 4094, or leave --vlan out for all of the port's"
    )]
    VlanZero,
    /// Somebody else reads the log.
    #[error("switch `{0}` is followed already; end the other `vswitch monitor {0}` first")]
    Followed(String),
    /// Several things went wrong in a removal, which goes on after each.
    #[error("{0}")]
    Several(String),
}

impl ControlError {
    /// One error of several.
    pub fn collect(errors: Vec<Self>) -> Result<(), Self> {
        let mut errors = errors;
        match errors.len() {
            0 => Ok(()),
            1 => Err(errors.remove(0)),
            _ => {
                Err(Self::Several(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; and ")))
            }
        }
    }
}

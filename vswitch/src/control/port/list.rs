//! Ports, for people and scripts.

use std::collections::BTreeMap;

use serde::Serialize;
use vswitch_common::{
    drop::DropReason,
    port::{PortState, Redirect},
    record::{PortKind, unpack},
    stats::PortStats,
};

use super::{
    bridge,
    guards::{self, GuardView},
    meter, spoof, vlan,
};
use crate::{
    config::port::{
        FLAGS, state_word,
        vlan::{PortVlanSpec, map_text},
    },
    control::{
        ControlError, Opened, mirror,
        opened::{Links, PortRow, links},
    },
    datapath::{Store, attach},
    host::{Host, Link},
    name::{IfName, SwitchName},
};

/// A port.
#[derive(Debug, Serialize)]
pub struct PortView {
    /// Its switch.
    pub switch: String,
    /// Name of its device.
    pub port: String,
    /// `netns`, `pid`, `tap`, `dev` or `host`.
    pub kind: &'static str,
    /// Interface index of the device; 0 if it is gone.
    pub ifindex: u32,
    /// `forwarding`, `learning`, `blocking`, `disabled`, `shut` by a guard, or `down` or `gone` if the device is.
    pub state: &'static str,
    /// The program that decides: `tc`.
    pub datapath: &'static str,
    /// How that is attached: `tcx` or `clsact`.
    pub attach: String,
    /// How frames leave: `peer` or `dev`.
    pub redirect: &'static str,
    /// MTU of the device, in bytes of layer 3; 0 if it is gone.
    pub mtu: u32,
    /// The namespace of the other end, if it has a name.
    pub netns: Option<String>,
    /// The process whose namespace the other end is in, if it was named by a process.
    pub pid: Option<u32>,
    /// The interface at the other end.
    pub peer_ifname: Option<String>,
    /// The address of the interface at the other end.
    pub peer_mac: Option<String>,
    /// The VLAN that a new port of the switch is in.
    #[serde(skip)]
    pub default_pvid: u16,
    /// What the user wrote about it.
    pub description: String,
    /// The VLAN of untagged frames; `None` if they are dropped.
    pub pvid: Option<u16>,
    /// VLANs whose frames leave with a tag, such as `10-20,30`, or `none`.
    pub tagged: String,
    /// VLANs whose frames leave without one.
    pub untagged: String,
    /// Translations `WIRE:INSIDE,...`, or `none`.
    pub vlan_map: String,
    /// The port that takes over while the device is down.
    pub backup_port: Option<String>,
    /// Bit X set: frames to `01:80:c2:00:00:0X` that come by the port are forwarded.
    pub group_fwd_mask: u16,
    /// What it may carry, by key, as `RATE:BURST`; keys that are off are left out.
    pub meters: BTreeMap<&'static str, String>,
    /// What it has to do with mirror sessions, one sentence each.
    pub mirrors: Vec<String>,
    /// The keys that are on or off.
    pub options: BTreeMap<&'static str, bool>,
    /// What is learned, and what is guarded against.
    #[serde(flatten)]
    pub guards: GuardView,
    /// The addresses that `spoof-check` lets it speak for.
    pub bound: Vec<String>,
    /// What went through.
    pub counters: Counters,
}

impl PortView {
    /// The words about what takes over and what passes, as they are and as a new port has them.
    pub fn bridge_words(&self) -> [(String, &'static str); 2] {
        [
            (format!("backup-port={}", self.backup_port.as_deref().unwrap_or("none")), "backup-port=none"),
            (format!("group-fwd-mask={:#x}", self.group_fwd_mask), "group-fwd-mask=0x0"),
        ]
    }

    /// The words about VLANs by which the port differs from a new one.
    pub fn unusual_vlans(&self) -> Vec<String> {
        let default = PortVlanSpec::by_default(self.default_pvid);
        let pvid = |pvid: Option<u16>| pvid.map_or_else(|| "none".to_owned(), |pvid| pvid.to_string());
        let words = [
            ("pvid", pvid(self.pvid), pvid(default.pvid)),
            ("untagged", self.untagged.clone(), default.untagged.to_string()),
            ("tagged", self.tagged.clone(), default.tagged.to_string()),
            ("vlan-map", self.vlan_map.clone(), map_text(&default.map)),
        ];
        words.iter().filter(|(_, is, was)| is != was).map(|(key, is, _)| format!("{key}={is}")).collect()
    }
}

/// What went through a port since it was made.
#[derive(Debug, Default, Serialize)]
pub struct Counters {
    /// Frames that entered the switch; a GSO aggregate counts as one.
    pub rx_frames: u64,
    /// Their bytes.
    pub rx_bytes: u64,
    /// Of these, sent to one port.
    pub forwarded: u64,
    /// Of these, sent to all eligible ports.
    pub flooded: u64,
    /// Of these, handed to the host's stack.
    pub local: u64,
    /// Of these, questions for an address that the switch answered itself.
    pub answered: u64,
    /// Frames and copies that left by the port.
    pub tx_frames: u64,
    /// Their bytes.
    pub tx_bytes: u64,
    /// Copies that mirror sessions sent out of the port; not in `tx_frames`.
    pub mirrored: u64,
    /// Received frames that went nowhere, by reason.
    pub drops: BTreeMap<&'static str, u64>,
    /// Copies that could not leave by the port, by reason.
    pub tx_drops: BTreeMap<&'static str, u64>,
}

impl Counters {
    /// Adds another port's.
    pub fn add(&mut self, other: &Self) {
        let Self {
            rx_frames,
            rx_bytes,
            forwarded,
            flooded,
            local,
            answered,
            mirrored,
            tx_frames,
            tx_bytes,
            drops,
            tx_drops,
        } = other;
        self.rx_frames += rx_frames;
        self.rx_bytes += rx_bytes;
        self.forwarded += forwarded;
        self.flooded += flooded;
        self.local += local;
        self.answered += answered;
        self.mirrored += mirrored;
        self.tx_frames += tx_frames;
        self.tx_bytes += tx_bytes;
        for (sums, counts) in [(&mut self.drops, drops), (&mut self.tx_drops, tx_drops)] {
            for (reason, count) in counts {
                *sums.entry(reason).or_default() += count;
            }
        }
    }
}

/// All ports of a switch, or one of them.
pub async fn list(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    only: Option<&IfName>,
) -> Result<Vec<PortView>, ControlError> {
    let opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    let rows = match only {
        Some(name) => vec![opened.row(name, &links)?],
        None => opened.rows()?,
    };
    rows.iter().filter(|row| row.record.pending == 0).map(|row| view(&opened, row, &links)).collect()
}

/// All ports of all switches that live in the namespace of the caller.
pub async fn list_all(store: &Store, host: &Host) -> Result<Vec<PortView>, ControlError> {
    let mut views = Vec::new();
    for switch in store.switches()? {
        match list(store, host, &switch, None).await {
            Ok(some) => views.extend(some),
            Err(ControlError::Elsewhere(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(views)
}

fn view(opened: &Opened, row: &PortRow, links: &Links) -> Result<PortView, ControlError> {
    let link = opened.device(row, links);
    let vlan = vlan::read(opened, row.slot, &row.port)?;
    let guards = guards::view(opened, row)?;
    let text = |bytes: &[u8]| Some(unpack(bytes).to_owned()).filter(|text| !text.is_empty());
    Ok(PortView {
        switch: opened.name.to_string(),
        port: link.map_or_else(|| row.made_as().to_owned(), |link| link.name.clone()),
        kind: PortKind::from_u8(row.record.kind).map_or("unknown", PortKind::word),
        ifindex: link.map_or(0, |link| link.index),
        state: state(row, link, &guards),
        datapath: "tc",
        attach: attach::mode(&opened.directory, row.slot).to_string(),
        redirect: if row.port.redirect == Redirect::Peer as u8 { "peer" } else { "dev" },
        mtu: link.map_or(0, |link| link.mtu),
        netns: text(&row.record.netns),
        pid: Some(row.record.pid).filter(|pid| *pid != 0),
        peer_ifname: text(&row.record.peer_ifname),
        peer_mac: Some(row.port.peer_mac).filter(|mac| !mac.is_zero()).map(|mac| mac.to_string()),
        description: opened.tables.note(row.slot)?.text().to_owned(),
        default_pvid: opened.config.default_pvid,
        pvid: vlan.pvid,
        tagged: vlan.tagged.to_string(),
        untagged: vlan.untagged.to_string(),
        vlan_map: map_text(&vlan.map),
        backup_port: bridge::backup_name(opened, links, &row.port)?,
        group_fwd_mask: row.port.group_fwd_mask,
        meters: meter::read(opened, row.slot, &row.port)?,
        mirrors: mirror::about(opened, row.slot, &row.port, links)?,
        options: FLAGS.iter().map(|(name, bit)| (*name, row.port.has(*bit))).collect(),
        guards,
        bound: spoof::read(opened, row.slot)?.words(),
        counters: counters(&opened.tables.stats(row.slot)?),
    })
}

fn state(row: &PortRow, link: Option<&Link>, guards: &GuardView) -> &'static str {
    match (link, row.port.state()) {
        (None, _) => state_word(PortState::Gone),
        (Some(_), PortState::Forwarding) if guards.shut.is_some() => "shut",
        (Some(link), PortState::Forwarding) if !link.carrier => "down",
        (Some(_), state) => state_word(state),
    }
}

fn counters(stats: &PortStats) -> Counters {
    let named = |counts: &[u64]| {
        DropReason::ALL
            .iter()
            .map(|reason| (reason.word(), counts[*reason as usize]))
            .filter(|(_, count)| *count != 0)
            .collect()
    };
    Counters {
        rx_frames: stats.rx_frames,
        rx_bytes: stats.rx_bytes,
        forwarded: stats.forwarded,
        flooded: stats.flooded,
        local: stats.local,
        answered: stats.answered,
        tx_frames: stats.tx_frames,
        tx_bytes: stats.tx_bytes,
        mirrored: stats.mirrored,
        drops: named(&stats.drops),
        tx_drops: named(&stats.tx_drops),
    }
}

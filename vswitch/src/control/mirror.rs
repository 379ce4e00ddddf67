//! Mirror sessions: made, ended, listed.

use serde::Serialize;
use vswitch_common::{
    config::{SwitchConfig, switch_flag},
    map::MIRROR_SESSIONS,
    mirror::{MirrorSession, direction},
    port::{PortConfig, Slot},
    record::{pack, unpack},
};

use super::{
    ControlError, Opened,
    opened::{Links, links},
};
use crate::{
    datapath::Store,
    host::{Host, Uninterrupted},
    name::{IfName, MirrorName, SwitchName},
};

/// A session to be made.
#[derive(Clone, Debug)]
pub struct MirrorRequest {
    /// Its name.
    pub name: MirrorName,
    /// The port that gets the copies.
    pub to: IfName,
    /// The ports whose frames are copied; those of a whole VLAN if empty.
    pub ports: Vec<IfName>,
    /// Only frames of this VLAN.
    pub vlan: Option<u16>,
    /// Bits of [`direction`].
    pub directions: u8,
    /// Bytes of each frame that are copied; all if `None`.
    pub snap: Option<u32>,
    /// One of so many frames is copied.
    pub sample: u32,
}

/// A session, for people and scripts.
#[derive(Debug, Serialize)]
pub struct MirrorView {
    /// Its name.
    pub name: String,
    /// The port that gets the copies.
    pub to: String,
    /// The ports whose frames are copied; empty if it is about a whole VLAN, or all its ports are gone.
    pub ports: Vec<String>,
    /// Only frames of this VLAN.
    pub vlan: Option<u16>,
    /// `in`, `out` or `both`, as the ports see it.
    pub direction: &'static str,
    /// Bytes of each frame that are copied; all if `None`.
    pub snap: Option<u32>,
    /// One of so many frames is copied, at random.
    pub sample: u32,
}

/// Begins to copy; effective for the very next frame.
pub async fn add(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    request: &MirrorRequest,
) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    let sessions = opened.tables.mirror_sessions()?;
    if sessions.iter().any(|(_, session)| unpack(&session.name) == request.name.as_str()) {
        let (switch, name) = (switch.to_string(), request.name.to_string());
        return Err(ControlError::MirrorExists { switch, name });
    }
    if request.vlan.is_some() && !opened.config.has(switch_flag::VLAN_FILTERING) {
        return Err(ControlError::MirrorVlan(switch.to_string()));
    }
    let to = opened.row(&request.to, &links)?;
    let mut sources = Vec::new();
    for name in &request.ports {
        let row = opened.row(name, &links)?;
        if row.slot == to.slot {
            return Err(ControlError::MirrorItself(name.to_string()));
        }
        sources.push(row);
    }
    let mut numbers = (0_u8..).take_while(|index| u32::from(*index) < MIRROR_SESSIONS);
    let free = numbers.find(|index| sessions.iter().all(|(taken, _)| taken != index));
    let Some(index) = free else {
        return Err(ControlError::MirrorsFull(switch.to_string()));
    };
    // A killed command may have left bits of the session that was here before.
    unhook(&mut opened, index)?;
    let session = MirrorSession {
        ifindex: to.port.ifindex,
        slot: to.slot,
        vlan: request.vlan.unwrap_or(0),
        snap_length: request.snap.unwrap_or(0),
        sampling: request.sample,
        name: pack(request.name.as_str()),
        directions: request.directions,
    };
    opened.tables.set_mirror_session(index, &session)?;
    let bit = |direction| if request.directions & direction == 0 { 0 } else { 1 << index };
    for row in sources {
        let mut port = opened.tables.port(row.slot)?;
        port.mirror_in |= bit(direction::IN);
        port.mirror_out |= bit(direction::OUT);
        opened.tables.set_port(row.slot, &port)?;
    }
    if request.ports.is_empty() {
        opened.config.mirrors |= 1 << index;
        opened.tables.set_config(&opened.config)?;
    }
    Ok(())
}

/// Ends a session; effective for the very next frame.
pub fn del(store: &Store, switch: &SwitchName, name: &MirrorName) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find_anywhere(store, switch)?;
    let sessions = opened.tables.mirror_sessions()?;
    let found = sessions.iter().find(|(_, session)| unpack(&session.name) == name.as_str());
    let Some((index, _)) = found else {
        return Err(ControlError::NoMirror {
            switch: switch.to_string(),
            name: name.to_string(),
            remedy: remedy(switch, name, &sessions),
        });
    };
    end(&mut opened, *index)
}

/// All sessions of a switch.
pub async fn list(store: &Store, host: &Host, switch: &SwitchName) -> Result<Vec<MirrorView>, ControlError> {
    let opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    let mut views = Vec::new();
    for (index, session) in opened.tables.mirror_sessions()? {
        let mut ports = Vec::new();
        let mut to = String::new();
        for row in opened.rows()? {
            let name = opened.device(&row, &links).map_or(row.made_as(), |link| &link.name);
            if row.slot == session.slot {
                name.clone_into(&mut to);
            }
            if (row.port.mirror_in | row.port.mirror_out) & (1 << index) != 0 {
                ports.push(name.to_owned());
            }
        }
        views.push(MirrorView {
            name: unpack(&session.name).to_owned(),
            to,
            ports,
            vlan: Some(session.vlan).filter(|vlan| *vlan != 0),
            direction: word(session.directions),
            snap: Some(session.snap_length).filter(|length| *length != 0),
            sample: session.sampling.max(1),
        });
    }
    Ok(views)
}

/// What a port has to do with sessions, one sentence each.
pub fn about(
    opened: &Opened,
    slot: Slot,
    port: &PortConfig,
    links: &Links,
) -> Result<Vec<String>, ControlError> {
    let mut found = Vec::new();
    for (index, session) in opened.tables.mirror_sessions()? {
        let name = unpack(&session.name);
        let bit = 1 << index;
        let directions = if port.mirror_in & bit == 0 { 0 } else { direction::IN }
            | if port.mirror_out & bit == 0 { 0 } else { direction::OUT };
        if session.slot == slot {
            found.push(format!("gets the copies of `{name}`"));
        } else if directions != 0 {
            let to = links.get(&session.ifindex).map_or("-", |link| &link.name);
            found.push(format!("`{name}` copies {} to {to}", word(directions)));
        }
    }
    Ok(found)
}

/// Ends the sessions whose copies go to these ports, and gives the names of those that had any. Nothing refers to the ports
/// afterwards: what they send and receive themselves is no session's any more as soon as their rows are empty.
pub fn end_at(opened: &mut Opened, is_removed: impl Fn(Slot) -> bool) -> Result<Vec<String>, ControlError> {
    let mut ended = Vec::new();
    for (index, session) in opened.tables.mirror_sessions()? {
        if is_removed(session.slot) {
            end(opened, index)?;
            ended.push(unpack(&session.name).to_owned());
        }
    }
    Ok(ended)
}

/// The names of a switch's sessions.
pub fn names(opened: &Opened) -> Result<Vec<String>, ControlError> {
    let sessions = opened.tables.mirror_sessions()?;
    Ok(sessions.iter().map(|(_, session)| unpack(&session.name).to_owned()).collect())
}

/// Ends a session: its bits go first, then its row.
fn end(opened: &mut Opened, index: u8) -> Result<(), ControlError> {
    unhook(opened, index)?;
    Ok(opened.tables.set_mirror_session(index, &MirrorSession::default())?)
}

/// Takes a session's bits from all ports and from the switch.
fn unhook(opened: &mut Opened, index: u8) -> Result<(), ControlError> {
    let bit = 1 << index;
    for row in opened.rows()? {
        if (row.port.mirror_in | row.port.mirror_out) & bit != 0 {
            let (mirror_in, mirror_out) = (row.port.mirror_in & !bit, row.port.mirror_out & !bit);
            opened.tables.set_port(row.slot, &PortConfig { mirror_in, mirror_out, ..row.port })?;
        }
    }
    if opened.config.mirrors & bit != 0 {
        opened.config = SwitchConfig { mirrors: opened.config.mirrors & !bit, ..opened.config };
        opened.tables.set_config(&opened.config)?;
    }
    Ok(())
}

fn remedy(switch: &SwitchName, name: &MirrorName, sessions: &[(u8, MirrorSession)]) -> String {
    if sessions.is_empty() {
        return format!("make one with `vswitch mirror add {switch} {name} --to PORT --port PORT`");
    }
    let names: Vec<String> =
        sessions.iter().map(|(_, session)| format!("`{}`", unpack(&session.name))).collect();
    format!("it has {}", names.join(", "))
}

/// The word for directions.
const fn word(directions: u8) -> &'static str {
    const BOTH: u8 = direction::IN | direction::OUT;
    match directions {
        direction::IN => "in",
        direction::OUT => "out",
        BOTH => "both",
        _ => "none",
    }
}

//! Changes a port; effective for the very next frame.

use vswitch_common::{
    port::Redirect,
    record::{Note, PortKind},
};

use super::{bridge, guards, meter, spoof, vlan};
use crate::{
    config::port::PortOptions,
    control::{ControlError, Opened, opened::links},
    datapath::Store,
    host::{Host, Uninterrupted},
    name::{IfName, SwitchName},
};

/// Applies options to a port.
pub async fn set(
    store: &Store,
    host: &Host,
    switch: &SwitchName,
    name: &IfName,
    options: &PortOptions,
) -> Result<(), ControlError> {
    let _lock = store.lock()?;
    let _whole = Uninterrupted::begin();
    let mut opened = Opened::find(store, switch)?;
    let links = links(host).await?;
    let row = opened.row(name, &links)?;
    let kind = PortKind::from_u8(row.record.kind);
    if options.redirect == Some(Redirect::Peer) && !matches!(kind, Some(PortKind::Netns | PortKind::Pid)) {
        return Err(ControlError::Option {
            option: "`redirect=peer`",
            kind: kind.map_or("unknown", PortKind::word),
            remedy: "its other end is not in another namespace; use `redirect=dev`",
        });
    }
    let mut port = row.port;
    port.flags = options.apply(port.flags);
    bridge::apply(&opened, &links, row.slot, &mut port, &options.bridge)?;
    guards::apply(&options.guards, &mut port)?;
    spoof::check(&opened, row.slot, name.as_str(), &options.spoof)?;
    if let Some(redirect) = options.redirect {
        port.redirect = redirect as u8;
    }
    if let Some(state) = options.state {
        port.state = state as u8;
    }
    if !options.vlan.is_empty() {
        let spec = options.vlan.apply(&vlan::read(&opened, row.slot, &port)?)?;
        vlan::write(&mut opened, row.slot, &mut port, &spec)?;
    }
    meter::write(&mut opened, row.slot, &mut port, &options.meters)?;
    spoof::write(&mut opened, row.slot, &mut port, &options.spoof)?;
    if let Some(text) = &options.description {
        opened.tables.set_note(row.slot, &Note::new(text))?;
    }
    bridge::prepare(&mut opened, &port)?;
    opened.tables.set_port(row.slot, &port)?;
    bridge::settle(&mut opened)?;
    guards::settle(&mut opened, row.slot, &row.port, &port, options.state)
}

//! A switch on one screen.

use std::{collections::BTreeMap, fmt::Display};

use anyhow::Result;

use crate::{
    cli::{
        output::Report,
        port::{leads_to, state, unusual},
    },
    config::keys::on,
    control::{
        port::list::{Counters, PortView},
        summary::Summary,
        switch::SwitchView,
    },
};

/// Ports that are listed; of more there is only the number.
const PORTS: usize = 16;
/// Reasons for drops that are listed.
const REASONS: usize = 6;

/// What holds for the switch, what went through, and its first ports.
pub fn report(summary: &Summary) -> Result<Report> {
    let Summary { switch, port_states, address_kinds, counters, port_views } = summary;
    let mut lines = vec![format!("switch          {}", switch.name)];
    if !switch.description.is_empty() {
        lines.push(format!("for             {}", switch.description));
    }
    let ports = format!("{} of {}", switch.ports, switch.port_slots.saturating_sub(1));
    lines.push(format!("ports           {ports}{}", counted(port_states)));
    let addresses = format!("{} of {}", switch.fdb_entries, switch.fdb_size);
    lines.push(format!("addresses       {addresses}{}", counted(address_kinds)));
    lines.extend(keys(switch));
    lines.extend(traffic(counters));
    if !switch.here {
        lines.push("namespace       another one than this command's".to_owned());
    }
    if !port_views.is_empty() {
        lines.push(String::new());
        lines.push(table(port_views)?);
        if port_views.len() > PORTS {
            let more = port_views.len() - PORTS;
            lines.push(format!("and {more} more; list them with `vswitch port list {}`", switch.name));
        }
    }
    Ok(Report::new(lines.join("\n"), summary)?)
}

fn keys(view: &SwitchView) -> Vec<String> {
    let mut lines = vec![
        format!("ageing          {}", super::ageing(view)),
        format!("group-fwd-mask  {:#06x}", view.group_fwd_mask),
        format!("vlan-filtering  {}", vlans(view)),
        format!("link-watch      {}", on(view.link_watch)),
    ];
    lines.push(format!("share           {} of a full FDB for each port", view.fdb_share));
    let hold = if view.hold == 0 { "until opened".to_owned() } else { format!("{} s", view.hold) };
    lines.push(format!("guards          move-limit {} in a second, hold {hold}", view.move_limit));
    if !view.linklocal_learn {
        lines.push("linklocal-learn off".to_owned());
    }
    if !view.mirrors.is_empty() {
        lines.push(format!("mirrors         {}", view.mirrors.join(" ")));
    }
    if view.fdb_limited != 0 {
        lines.push(format!("not learned     {} (their port had as many as it may)", view.fdb_limited));
    }
    if view.fdb_full != 0 {
        lines.push(format!("not learned     {} (the FDB was full)", view.fdb_full));
    }
    lines
}

fn vlans(view: &SwitchView) -> String {
    if !view.vlan_filtering {
        return "off".to_owned();
    }
    let pvid = if view.default_pvid == 0 { "none".to_owned() } else { view.default_pvid.to_string() };
    format!("on, {} tags, default-pvid {pvid}, stats {}", view.vlan_protocol, on(view.vlan_stats))
}

fn traffic(counters: &Counters) -> Vec<String> {
    let Counters { rx_frames, forwarded, flooded, local, answered, drops, .. } = counters;
    let mut lines = vec![format!(
        "frames          {rx_frames} in: {forwarded} forwarded, {flooded} flooded, {local} to the host, {answered} \
         answered, {} dropped",
        drops.values().sum::<u64>()
    )];
    let mut reasons: Vec<(&&str, &u64)> = drops.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let reasons: Vec<String> =
        reasons.iter().take(REASONS).map(|(reason, count)| format!("{count} {reason}")).collect();
    if !reasons.is_empty() {
        lines.push(format!("dropped         {}", reasons.join(", ")));
    }
    lines
}

/// `: 3 forwarding, 1 down`, or nothing.
fn counted(counts: &BTreeMap<&'static str, usize>) -> String {
    let words: Vec<String> = counts.iter().map(|(word, count)| one(word, count)).collect();
    if words.is_empty() { String::new() } else { format!(": {}", words.join(", ")) }
}

fn one(word: &str, count: impl Display) -> String {
    format!("{count} {word}")
}

fn table(views: &[PortView]) -> Result<String> {
    let shown = &views[..views.len().min(PORTS)];
    let header = ["port", "kind", "state", "leads to", "rx", "tx", "not default"];
    let table = Report::table(&header, shown, |view| {
        vec![
            view.port.clone(),
            view.kind.to_owned(),
            state(view),
            leads_to(view),
            view.counters.rx_frames.to_string(),
            view.counters.tx_frames.to_string(),
            unusual(view),
        ]
    })?;
    Ok(table.text().to_owned())
}

//! The keys of a port.

pub mod bridge;
pub mod guards;
pub mod meter;
pub mod spoof;
pub mod vlan;

use vswitch_common::port::{PortState, Redirect, flag};

use self::{
    bridge::BridgeOptions, guards::Guards, meter::MeterOptions, spoof::SpoofCheck, vlan::VlanOptions,
};
use super::{
    keys::{KeyError, KeyValue, unknown},
    text,
};

/// The keys that are on or off, with their bits, in the order in which they are shown.
pub const FLAGS: [(&str, u32); 14] = [
    ("learning", flag::LEARNING),
    ("flood", flag::FLOOD),
    ("mcast-flood", flag::MCAST_FLOOD),
    ("bcast-flood", flag::BCAST_FLOOD),
    ("isolated", flag::ISOLATED),
    ("hairpin", flag::HAIRPIN),
    ("locked", flag::LOCKED),
    ("proxy-arp", flag::PROXY_ARP),
    ("proxy-arp-wifi", flag::PROXY_ARP_WIFI),
    ("neigh-suppress", flag::NEIGH_SUPPRESS),
    ("mab", flag::MAB),
    ("guard", flag::BPDU_GUARD),
    ("loop-guard", flag::LOOP_GUARD),
    (spoof::KEY, flag::SPOOF_CHECK),
];

/// What a port is to be like. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PortOptions {
    /// Flags to set.
    pub on: u32,
    /// Flags to clear.
    pub off: u32,
    /// The state.
    pub state: Option<PortState>,
    /// How frames leave.
    pub redirect: Option<Redirect>,
    /// What it is for, in the user's words.
    pub description: Option<String>,
    /// Which addresses it may speak for.
    pub spoof: SpoofCheck,
    /// Its VLANs.
    pub vlan: VlanOptions,
    /// What takes over, and what passes.
    pub bridge: BridgeOptions,
    /// Its meters.
    pub meters: MeterOptions,
    /// What is learned, and what is guarded against.
    pub guards: Guards,
}

impl PortOptions {
    /// Reads words; the last one of a key counts.
    pub fn parse(words: &[KeyValue]) -> Result<Self, KeyError> {
        let mut options = Self::default();
        for word in words {
            options.set(word)?;
        }
        Ok(options)
    }

    /// The flags of a port that has `flags` now.
    pub fn apply(&self, flags: u32) -> u32 {
        flags & !self.off | self.on
    }

    fn set(&mut self, word: &KeyValue) -> Result<(), KeyError> {
        if self.spoof.set(word)? {
            return Ok(());
        }
        if let Some((_, bit)) = FLAGS.iter().find(|(name, _)| *name == word.key) {
            let on = word.switch()?;
            (self.on, self.off) =
                if on { (self.on | bit, self.off & !bit) } else { (self.on & !bit, self.off | bit) };
            return Ok(());
        }
        if self.vlan.set(word)? || self.bridge.set(word)? || self.meters.set(word)? {
            return Ok(());
        }
        if let Some(result) = self.guards.set(word) {
            return result;
        }
        match word.key.as_str() {
            "description" => self.description = Some(text::description(word)?),
            "state" => self.state = Some(state(word)?),
            "redirect" => self.redirect = Some(redirect(word)?),
            other => {
                let mut known: Vec<&str> = FLAGS.iter().map(|(name, _)| *name).collect();
                known.extend(["state", "redirect", "description"]);
                known.extend(vlan::KEYS);
                known.extend(bridge::KEYS);
                known.extend(meter::KEYS);
                known.extend(guards::KEYS);
                return Err(unknown(other, "port", &known));
            }
        }
        Ok(())
    }
}

fn state(word: &KeyValue) -> Result<PortState, KeyError> {
    match word.value.as_str() {
        "disabled" => Ok(PortState::Disabled),
        "blocking" => Ok(PortState::Blocking),
        "learning" => Ok(PortState::Learning),
        "forwarding" => Ok(PortState::Forwarding),
        _ => Err(word.refuse("`disabled`, `blocking`, `learning` or `forwarding`")),
    }
}

fn redirect(word: &KeyValue) -> Result<Redirect, KeyError> {
    match word.value.as_str() {
        "peer" => Ok(Redirect::Peer),
        "dev" => Ok(Redirect::Dev),
        _ => Err(word.refuse("`peer` or `dev`")),
    }
}

/// The word for a state.
pub fn state_word(state: PortState) -> &'static str {
    match state {
        PortState::Disabled => "disabled",
        PortState::Blocking => "blocking",
        PortState::Learning => "learning",
        PortState::Forwarding => "forwarding",
        PortState::Gone => "gone",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(texts: &[&str]) -> Result<PortOptions, KeyError> {
        PortOptions::parse(&texts.iter().map(|text| text.parse().expect("key=value")).collect::<Vec<_>>())
    }

    #[test]
    fn the_last_word_counts() {
        let options = parse(&["flood=off", "flood=on", "learning=off"]).expect("legal");
        assert_eq!(options.apply(flag::DEFAULT), flag::DEFAULT & !flag::LEARNING);
        assert_eq!(options.apply(0), flag::FLOOD);
    }

    #[test]
    fn unknown_keys_name_the_known_ones() {
        let error = parse(&["colour=red"]).expect_err("no such key").to_string();
        assert!(error.starts_with("unknown key `colour` of a port; the keys are `learning`"), "{error}");
        assert!(
            parse(&["flood=yes"]).is_err()
                && parse(&["state=up"]).is_err()
                && parse(&["redirect=x"]).is_err()
        );
    }

    proptest! {
        #[test]
        fn what_is_not_said_stays(flags: u32) {
            prop_assert_eq!(PortOptions::default().apply(flags), flags);
        }
    }
}

//! Meters of a port: `RATE[:BURST]`, in the units of tc and nft.

use std::fmt;

use vswitch_common::meter::{COST_SHIFT, MAX_UNITS, Meter, MeterKind, TICKS_PER_SECOND, Unit, ticks};

use crate::config::keys::{KeyError, KeyValue};

/// The keys with what they meter, in the order in which they are shown.
pub const METERS: [(&str, MeterKind); 5] = [
    ("storm-broadcast", MeterKind::Broadcast),
    ("storm-multicast", MeterKind::Multicast),
    ("storm-unknown", MeterKind::UnknownUnicast),
    ("police-in", MeterKind::PoliceIn),
    ("police-out", MeterKind::PoliceOut),
];

/// The keys.
pub const KEYS: [&str; 5] = [METERS[0].0, METERS[1].0, METERS[2].0, METERS[3].0, METERS[4].0];

/// Units of a rate, the largest first; bits come in thousands.
const RATES: [(&str, u64, Unit); 8] = [
    ("mpps", 1_000_000, Unit::Frames),
    ("kpps", 1000, Unit::Frames),
    ("pps", 1, Unit::Frames),
    ("tbit", 1_000_000_000_000, Unit::Bytes),
    ("gbit", 1_000_000_000, Unit::Bytes),
    ("mbit", 1_000_000, Unit::Bytes),
    ("kbit", 1000, Unit::Bytes),
    ("bit", 1, Unit::Bytes),
];
/// Units of a burst, the largest first of each; bytes come in 1024s, as in tc and nft.
const BURSTS: [(&str, u64, Unit); 7] = [
    ("kp", 1000, Unit::Frames),
    ("p", 1, Unit::Frames),
    ("mbyte", 1 << 20, Unit::Bytes),
    ("mb", 1 << 20, Unit::Bytes),
    ("kbyte", 1 << 10, Unit::Bytes),
    ("kb", 1 << 10, Unit::Bytes),
    ("b", 1, Unit::Bytes),
];

const MAX_FRAME_RATE: u64 = 1_000_000_000;
/// A byte a second.
const MIN_BIT_RATE: u64 = 8;
const MAX_BIT_RATE: u64 = 1_000_000_000_000;
/// The bucket of a meter without a burst holds what passes in a tenth of a second,
const DEFAULT_BURST_SHARE: u64 = 10;
/// but at least so many frames: an aggregate of 64 KiB stands for 45,
const LEAST_DEFAULT_FRAMES: u64 = 64;
/// or bytes: the largest aggregate (BIG TCP, 192 KiB) with all its headers.
const LEAST_DEFAULT_BYTES: u64 = 256 << 10;

/// How much may pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MeterSpec {
    /// Of what.
    unit: Unit,
    /// Frames or bits per second.
    rate: u64,
    /// Frames or bytes.
    burst: u64,
}

impl MeterSpec {
    /// Reads `RATE[:BURST]`; the error says what is allowed.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (rate, burst) = match text.split_once(':') {
            Some((rate, burst)) => (rate, Some(burst)),
            None => (text, None),
        };
        let (rate, unit) = quantity(rate, &RATES).ok_or(
            "`off` or RATE[:BURST], with a rate such as `1000pps`, `5kpps`, `64kbit`, `10mbit` or `1gbit`",
        )?;
        let range = if unit == Unit::Frames { 1..=MAX_FRAME_RATE } else { MIN_BIT_RATE..=MAX_BIT_RATE };
        if !range.contains(&rate) {
            return Err("a rate from `1pps` to `1000mpps` or from `8bit` to `1tbit`".to_owned());
        }
        let burst = match burst {
            None => default_burst(unit, rate),
            Some(burst) => match quantity(burst, &BURSTS) {
                Some((burst, of)) if of == unit && (1..=u64::from(MAX_UNITS)).contains(&burst) => burst,
                _ if unit == Unit::Frames => {
                    return Err("for a rate in frames a burst from `1p` to `268435456p`".to_owned());
                }
                _ => return Err("for a rate in bits a burst from `1b` to `256mb`, such as `64kb`".to_owned()),
            },
        };
        Ok(Self { unit, rate, burst })
    }

    /// The row for the program, with a full bucket.
    pub fn to_row(self) -> Meter {
        let cost = match self.unit {
            // Whole ticks, so that a burst of frames is exact.
            Unit::Frames => TICKS_PER_SECOND.div_ceil(self.rate) << COST_SHIFT,
            Unit::Bytes => ((TICKS_PER_SECOND * 8) << COST_SHIFT).div_ceil(self.rate),
            Unit::None => 0,
        };
        let burst = ticks(cost, u32::try_from(self.burst).unwrap_or(MAX_UNITS));
        Meter {
            full_at: 0,
            cost,
            burst,
            unit: self.unit as u32,
            reserved: 0,
            rate: self.rate,
            burst_units: self.burst,
        }
    }

    /// From the program's row; `None` if there is no meter.
    pub fn from_row(row: &Meter) -> Option<Self> {
        let unit = Unit::from_u32(row.unit);
        (unit != Unit::None).then_some(Self { unit, rate: row.rate, burst: row.burst_units })
    }
}

impl fmt::Display for MeterSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_quantity(f, self.rate, self.unit, &RATES)?;
        f.write_str(":")?;
        write_quantity(f, self.burst, self.unit, &BURSTS)
    }
}

/// A whole number with a unit.
fn quantity(text: &str, units: &[(&str, u64, Unit)]) -> Option<(u64, Unit)> {
    let end = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, word) = text.split_at(end);
    let (_, factor, unit) = units.iter().find(|(name, ..)| *name == word)?;
    Some((number.parse::<u64>().ok()?.checked_mul(*factor)?, *unit))
}

/// In the largest unit of which it is a whole number.
fn write_quantity(
    f: &mut fmt::Formatter<'_>,
    value: u64,
    unit: Unit,
    units: &[(&str, u64, Unit)],
) -> fmt::Result {
    let fits = |(_, factor, of): &&(&str, u64, Unit)| *of == unit && value.is_multiple_of(*factor);
    // Of two names for the same, the last: the shorter one.
    let best = units.iter().filter(fits).max_by_key(|(_, factor, _)| *factor);
    best.map_or(Ok(()), |(name, factor, _)| write!(f, "{}{name}", value / factor))
}

fn default_burst(unit: Unit, rate: u64) -> u64 {
    let (share, least) = match unit {
        Unit::Frames | Unit::None => (rate / DEFAULT_BURST_SHARE, LEAST_DEFAULT_FRAMES),
        Unit::Bytes => (rate / 8 / DEFAULT_BURST_SHARE, LEAST_DEFAULT_BYTES),
    };
    share.clamp(least, u64::from(MAX_UNITS))
}

/// What is to become of a meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MeterChange {
    /// It stays as it is.
    #[default]
    Keep,
    /// There is none.
    Off,
    /// It lets so much pass.
    Limit(MeterSpec),
}

/// What is to become of a port's meters, by the number of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MeterOptions([MeterChange; METERS.len()]);

impl MeterOptions {
    /// Takes a word; `false` if it is about something else.
    pub fn set(&mut self, word: &KeyValue) -> Result<bool, KeyError> {
        let Some((_, kind)) = METERS.iter().find(|(key, _)| *key == word.key) else { return Ok(false) };
        self.0[*kind as usize] = match word.value.as_str() {
            "off" => MeterChange::Off,
            text => MeterChange::Limit(MeterSpec::parse(text).map_err(|allowed| word.refuse(allowed))?),
        };
        Ok(true)
    }

    /// What is to become of one meter.
    pub fn of(&self, kind: MeterKind) -> MeterChange {
        self.0[kind as usize]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vswitch_common::meter::MAX_COST;

    fn shown(text: &str) -> Result<String, String> {
        MeterSpec::parse(text).map(|spec| spec.to_string())
    }

    #[test]
    fn units_are_those_of_tc() {
        for (text, canonical) in [
            ("1000pps", "1kpps:100p"),
            ("1pps:5p", "1pps:5p"),
            ("1pps", "1pps:64p"),
            ("2mpps:3kp", "2mpps:3kp"),
            ("10mbit", "10mbit:256kb"),
            ("1gbit", "1gbit:12500000b"),
            ("1gbit:64kbyte", "1gbit:64kb"),
            ("8bit:1b", "8bit:1b"),
            ("1tbit:256mbyte", "1tbit:256mb"),
            ("1500kbit:1mb", "1500kbit:1mb"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(canonical), "{text}");
        }
    }

    #[test]
    fn errors_say_what_to_write() {
        let error = |text| shown(text).expect_err(text);
        for wrong in ["", "on", "10", "pps", "1.5mbit", "-1pps", "10bps", "1kpps ", "99999999999999999999pps"]
        {
            assert!(error(wrong).contains("RATE[:BURST]"), "{wrong}: {}", error(wrong));
        }
        for wrong in ["0pps", "0bit", "7bit", "1001mpps", "2tbit"] {
            assert!(error(wrong).starts_with("a rate from"), "{wrong}: {}", error(wrong));
        }
        for wrong in ["1pps:", "1pps:5", "1pps:5kb", "1pps:0p", "1pps:5p:6p", "1pps:268435457p"] {
            assert!(error(wrong).starts_with("for a rate in frames"), "{wrong}: {}", error(wrong));
        }
        for wrong in ["1mbit:5p", "1mbit:0b", "1mbit:257mb", "1mbit:1k"] {
            assert!(error(wrong).starts_with("for a rate in bits"), "{wrong}: {}", error(wrong));
        }
    }

    #[test]
    fn words_change_one_meter_each() {
        let mut options = MeterOptions::default();
        for word in ["storm-broadcast=5pps", "storm-broadcast=off", "police-out=1mbit"] {
            assert_eq!(options.set(&word.parse().expect("key=value")), Ok(true));
        }
        assert_eq!(options.set(&"flood=on".parse().expect("key=value")), Ok(false));
        assert_eq!(options.of(MeterKind::Broadcast), MeterChange::Off);
        assert_eq!(MeterSpec::parse("1mbit").map(MeterChange::Limit), Ok(options.of(MeterKind::PoliceOut)));
        assert_eq!(options.of(MeterKind::PoliceIn), MeterChange::Keep);
        for (index, (key, kind)) in METERS.iter().enumerate() {
            assert_eq!((KEYS[index], MeterKind::ALL[index]), (*key, *kind));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics_and_values_round_trip(text in "\\PC*|[0-9]{1,21}[kmgt]?(pps|bit)(:[0-9]{1,12}[km]?(p|b|byte))?") {
            if let Ok(spec) = MeterSpec::parse(&text) {
                prop_assert_eq!(MeterSpec::parse(&spec.to_string()), Ok(spec));
                let row = spec.to_row();
                prop_assert_eq!(MeterSpec::from_row(&row), Some(spec));
                prop_assert!(row.cost <= MAX_COST && row.cost > 0);
                // The rate is not exceeded, and missed by a tick for each unit at most.
                let per_second = ticks(row.cost, 1);
                prop_assert!(per_second >= 1 && row.burst >= per_second);
            }
        }

        #[test]
        fn values_round_trip(frames: bool, rate in 1u64..=1_000_000_000, burst in 1u64..=1 << 28) {
            let spec = if frames {
                MeterSpec { unit: Unit::Frames, rate, burst }
            } else {
                MeterSpec { unit: Unit::Bytes, rate: rate * 8, burst }
            };
            prop_assert_eq!(MeterSpec::parse(&spec.to_string()), Ok(spec));
        }
    }
}

//! Frames as no honest station sends them: short, lying about their lengths, with tags upon tags, with bytes turned.
//!
//! A [`Mutator`] makes one after the other, in a buffer that is used again: it is asked a hundred million times.

mod layer3;

use std::env;

use vswitch_common::addr::MacAddr;

use crate::{
    frame::{CTAG, HEADER, MULTICAST, STAG, station},
    random::Random,
};

/// The shortest frame of a wire, without the FCS.
const SHORTEST: usize = 60;
/// The most tags upon each other.
const TAGS: usize = 8;
/// Long frames: the most that the kernel's test-run takes in one page.
const LONGEST: usize = 1514;

/// How many frames a test is to make: what `VSWITCH_MUTATIONS` says, else a million.
///
/// # Panics
/// When the variable is not a number.
pub fn mutations() -> u64 {
    env::var("VSWITCH_MUTATIONS").map_or(1_000_000, |text| text.parse().expect("a number of frames"))
}

/// Who is where, so that most frames have somewhere to go.
#[derive(Clone, Debug)]
pub struct Neighbourhood {
    /// Addresses behind the port by which the frames come.
    pub near: Vec<MacAddr>,
    /// Addresses behind other ports.
    pub far: Vec<MacAddr>,
    /// Addresses of the ports' own devices.
    pub devices: Vec<MacAddr>,
}

/// What a frame says about the segments that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segments {
    /// Bytes of each.
    pub size: u32,
    /// How many.
    pub count: u32,
    /// Length of all of them on the wire.
    pub wire_length: u32,
}

/// Makes frames.
#[derive(Debug)]
pub struct Mutator {
    random: Random,
    /// The latest frame.
    pub frame: Vec<u8>,
    /// What it says about segments, if it is an aggregate.
    pub segments: Option<Segments>,
}

impl Mutator {
    /// One whose frames can be had again with the same numbers.
    pub fn new(random: Random) -> Self {
        Self { random, frame: Vec::with_capacity(2 * LONGEST), segments: None }
    }

    /// Replaces the frame by another one.
    pub fn next(&mut self, neighbourhood: &Neighbourhood) {
        let random = &mut self.random;
        self.frame.clear();
        let (is_known, destination) = destination(random, neighbourhood);
        self.frame.extend(destination.octets());
        self.frame.extend(source(random, neighbourhood).octets());
        tags(random, &mut self.frame);
        layer3::append(random, &mut self.frame);
        // Copies of floods leave through devices, which segment them: a lie about segments must not be flooded.
        let is_aggregate = is_known && random.once_in(32);
        turn_bytes(random, &mut self.frame, if is_aggregate { 6 } else { 0 });
        cut(random, &mut self.frame);
        self.segments = is_aggregate.then(|| {
            let length = u32::try_from(self.frame.len()).unwrap_or(0);
            Segments {
                size: *random.pick(&[0, 1, 8, 536, 1448, 1500, 9000, 0xffff]),
                count: *random.pick(&[0, 1, 2, 44, 0xffff]),
                wire_length: *random.pick(&[length, length + 1, 0xffff, 0x1_0000]),
            }
        });
    }
}

/// And whether there is an entry for it.
fn destination(random: &mut Random, neighbourhood: &Neighbourhood) -> (bool, MacAddr) {
    match random.below(1000) {
        0..10 => (false, MacAddr::BROADCAST),
        10..20 => (false, MULTICAST),
        20..30 => (false, station(random.number().to_le_bytes()[0].into())),
        30..32 => (false, MacAddr::ZERO),
        32..60 => (false, MacAddr::new([0x01, 0x80, 0xc2, 0, 0, random.number().to_le_bytes()[0] % 18])),
        60..64 => (false, MacAddr::new([0x33, 0x33, 0, 0, 0, 1])),
        64..104 => (true, *random.pick(&neighbourhood.devices)),
        104..154 => (true, *random.pick(&neighbourhood.near)),
        _ => (true, *random.pick(&neighbourhood.far)),
    }
}

fn source(random: &mut Random, neighbourhood: &Neighbourhood) -> MacAddr {
    match random.below(2000) {
        0..8 => MacAddr::ZERO,
        8..16 => MacAddr::BROADCAST,
        16..24 => MULTICAST,
        24..28 => MacAddr::new([0x01, 0x80, 0xc2, 0, 0, 1]),
        28..32 => *random.pick(&neighbourhood.devices),
        // The station has moved.
        32..34 => *random.pick(&neighbourhood.far),
        34..50 => {
            let [a, b, c, d, e, f, ..] = random.number().to_le_bytes();
            MacAddr::new([a, b, c, d, e, f])
        }
        _ => *random.pick(&neighbourhood.near),
    }
}

fn tags(random: &mut Random, frame: &mut Vec<u8>) {
    if !random.once_in(3) {
        return;
    }
    for _ in 0..random.below(TAGS + 1) {
        let control = match random.below(6) {
            0 => 0,
            1 => 0x0fff,
            2 => 0xe000,
            3 => 0x0ffe,
            _ => random.number().to_le_bytes()[0].into(),
        };
        let protocol = if random.once_in(2) { CTAG } else { STAG };
        frame.extend(protocol.to_be_bytes());
        frame.extend(u16::to_be_bytes(control));
    }
}

/// Any bytes become any others.
fn turn_bytes(random: &mut Random, frame: &mut [u8], from: usize) {
    if !random.once_in(4) || frame.len() <= from {
        return;
    }
    for _ in 0..=random.below(4) {
        // Headers are more often hit than payload.
        let end = if random.once_in(2) { frame.len().min(SHORTEST) } else { frame.len() };
        if let Some(byte) = frame.get_mut(from + random.below(end - from)) {
            *byte = random.number().to_le_bytes()[0];
        }
    }
}

/// The frame ends early, or is a runt of any length from nothing to the shortest of a wire.
fn cut(random: &mut Random, frame: &mut Vec<u8>) {
    match random.below(16) {
        0 => frame.truncate(random.below(SHORTEST + 1)),
        1 => frame.truncate(HEADER + random.below(8)),
        2 => frame.truncate(random.below(frame.len() + 1)),
        3 => frame.resize(frame.len() + random.below(64), 0),
        4 if frame.len() < SHORTEST => frame.resize(SHORTEST, 0),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn neighbourhood() -> Neighbourhood {
        Neighbourhood {
            near: vec![station(1)],
            far: vec![station(2), station(3)],
            devices: vec![station(0x101), station(0x102)],
        }
    }

    #[test]
    fn every_length_and_every_depth_comes_up() {
        let mut mutator = Mutator::new(Random::new(1));
        let (mut lengths, mut depths, mut aggregates) = ([0; SHORTEST + 1], [0; TAGS + 1], 0);
        for _ in 0..100_000 {
            mutator.next(&neighbourhood());
            if let Some(count) = lengths.get_mut(mutator.frame.len()) {
                *count += 1;
            }
            let words = mutator.frame.get(12..).unwrap_or_default().chunks(4);
            let depth = words.take_while(|word| matches!(word, [0x81, 0, ..] | [0x88, 0xa8, ..])).count();
            if let Some(count) = depths.get_mut(depth) {
                *count += 1;
            }
            aggregates += usize::from(mutator.segments.is_some());
            assert!(mutator.frame.len() <= LONGEST + 4 * TAGS + 64);
        }
        assert!(lengths.iter().all(|count| *count > 10), "{lengths:?}");
        assert!(depths.iter().all(|count| *count > 100), "{depths:?}");
        assert!(aggregates > 1000, "{aggregates}");
    }

    #[test]
    fn the_same_numbers_give_the_same_frames() {
        let frames = |seed| -> Vec<Vec<u8>> {
            let mut mutator = Mutator::new(Random::new(seed));
            let next = || {
                mutator.next(&neighbourhood());
                mutator.frame.clone()
            };
            std::iter::repeat_with(next).take(100).collect()
        };
        assert_eq!(frames(7), frames(7));
        assert_ne!(frames(7), frames(8));
    }
}

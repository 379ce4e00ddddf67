//! May a frame pass a meter, and what is left in the bucket then?

/// The generic cell rate algorithm. `full_at` is when the bucket is full again, `cost` is the time that the frame takes at
/// the meter's rate and `burst` the time that a full bucket lasts for, all in ticks. Gives the new `full_at`, or 0 if the
/// frame must not pass: then nothing has changed.
///
/// What takes longer than `burst` never passes. `now` is below 2^60 (36 years of uptime); any `full_at` is allowed, one in the
/// past means a full bucket.
#[inline(always)]
pub const fn pass(now: u64, full_at: u64, cost: u64, burst: u64) -> u64 {
    let missing = full_at.saturating_sub(now);
    if cost > burst || missing > burst - cost {
        return 0;
    }
    let next = now + missing + cost;
    // At the very beginning of time, a frame that costs nothing.
    if next == 0 { 1 } else { next }
}

/// How many frames an aggregate stands for: what the kernel says, else as many as its payload needs. `header` is the
/// length of all headers of each.
#[inline(always)]
pub const fn segments(said: u32, length: u32, header: u32, segment: u32) -> u32 {
    if said != 0 {
        return said;
    }
    let payload = length.saturating_sub(header);
    if segment == 0 || payload == 0 {
        return 1;
    }
    (payload - 1) / segment + 1
}

/// Bytes of all the frames that an aggregate stands for.
#[inline(always)]
pub const fn bytes(length: u32, header: u32, segments: u32) -> u32 {
    // A header has 255 bytes at most and segments are 65,535 at most, so this does not overflow for any frame.
    length.wrapping_add((segments.saturating_sub(1) & 0xffff) * (header & 0xff))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;
    use vswitch_common::meter::{COST_SHIFT, MAX_UNITS, TICKS_PER_SECOND, ticks};

    /// A meter that lets so many units per second pass, as the controller makes it.
    fn cost(rate: u64) -> u64 {
        (TICKS_PER_SECOND << COST_SHIFT).div_ceil(rate)
    }

    /// What passes of frames that come at these times, in units.
    fn passed(frames: &[(u64, u32)], cost: u64, burst: u64) -> u64 {
        let mut full_at = 0;
        let mut sum = 0;
        for (now, units) in frames {
            let next = pass(*now, full_at, ticks(cost, *units), burst);
            if next != 0 {
                full_at = next;
                sum += u64::from(*units);
            }
        }
        sum
    }

    #[test]
    fn a_burst_and_not_one_more() {
        let cost = cost(1);
        let now = 123 * TICKS_PER_SECOND;
        let frames: Vec<_> = (0..10).map(|_| (now, 1)).collect();
        assert_eq!(passed(&frames, cost, ticks(cost, 5)), 5);
        // A second later there is room for one.
        let later = now + TICKS_PER_SECOND;
        let frames: Vec<_> = frames.into_iter().chain([(later, 1), (later, 1)]).collect();
        assert_eq!(passed(&frames, cost, ticks(cost, 5)), 6);
    }

    #[test]
    fn more_than_a_full_bucket_never_passes() {
        let cost = cost(1000);
        assert_eq!(pass(1 << 59, 0, ticks(cost, 11), ticks(cost, 10)), 0);
        assert_ne!(pass(1 << 59, 0, ticks(cost, 10), ticks(cost, 10)), 0);
    }

    #[test]
    fn a_long_rest_fills_the_bucket_once() {
        let cost = cost(1_000_000);
        let burst = ticks(cost, 8);
        let early: Vec<_> = (0..8).map(|_| (1000, 1)).collect();
        let late: Vec<_> = (0..100).map(|_| ((1 << 60) - 1, 1)).collect();
        assert_eq!(passed(&[early, late].concat(), cost, burst), 16);
    }

    #[test]
    fn aggregates_count_as_their_frames() {
        assert_eq!(segments(0, 14 + 40 + 14_480, 54, 1448), 10);
        assert_eq!(segments(0, 14 + 40 + 14_481, 54, 1448), 11);
        assert_eq!(segments(7, 14 + 40 + 14_481, 54, 1448), 7);
        assert_eq!(segments(0, 1514, 54, 0), 1);
        assert_eq!(segments(0, 20, 54, 1448), 1);
        assert_eq!(bytes(54 + 14_480, 54, 10), 10 * (54 + 1448));
        assert_eq!(bytes(1514, 54, 1), 1514);
    }

    proptest! {
        #[test]
        fn never_more_than_rate_and_burst_nor_less_than_rate(
            rate in prop_oneof![1u64..100, 1u64..1_000_000, 1u64..20_000_000_000],
            burst_units in 1u32..100_000,
            start in 0u64..1 << 60,
            steps in prop::collection::vec((0u64..1_000_000_000, 1u32..70_000), 1..200),
        ) {
            let cost = cost(rate);
            let burst = ticks(cost, burst_units);
            let mut now = start;
            let frames: Vec<_> = steps.iter().map(|(step, units)| { now += step; (now, *units) }).collect();
            let time = u128::from(now - frames[0].0);
            let most = time * u128::from(rate) / u128::from(TICKS_PER_SECOND) + u128::from(burst_units) + 1;
            prop_assert!(u128::from(passed(&frames, cost, burst)) <= most);
        }

        /// A sender that never rests gets the rate: single units, closer together than the rate allows.
        #[test]
        fn never_less_than_the_rate(rate in 1u64..10_000_000, start in 0u64..1 << 60, share in 1u64..8) {
            let cost = cost(rate);
            let gap = (ticks(cost, 1) / share).max(1);
            let frames: Vec<_> = (0..2000).map(|index| (start + index * gap, 1)).collect();
            let time = u128::from(1999 * gap);
            // The clock of the frames is coarse: one that comes a gap too early comes again a gap later.
            let least = time * u128::from(rate) / u128::from(TICKS_PER_SECOND);
            let got = u128::from(passed(&frames, cost, ticks(cost, 2)));
            prop_assert!(got + 1 >= least * 999 / 1000, "{got} of {least}");
        }

        #[test]
        fn no_argument_overflows(now in 0u64..1 << 60, full_at: u64, cost: u64, units: u32, burst: u32) {
            let burst = ticks(cost, burst);
            let price = ticks(cost, units);
            let next = pass(now, full_at, price, burst);
            prop_assert!(next == 0 || next >= now && next <= now + burst.max(1));
            prop_assert!(price <= ticks(cost, MAX_UNITS));
        }

        #[test]
        fn aggregates_are_no_shorter_than_they_are(said in 0u32..=65_535, length in 0u32..1 << 20, header in 14u32..255, size in 0u32..65_536) {
            let count = segments(said, length, header, size);
            prop_assert!(count >= 1);
            prop_assert!(bytes(length, header, count) >= length);
        }
    }
}

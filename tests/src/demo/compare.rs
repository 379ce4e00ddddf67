//! The switch against the Linux bridge, in interleaved rounds.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::{bridge::Bridge, screen, tcp::Route};

/// Each of A B B A A B B A takes that long.
const ROUND: Duration = Duration::from_millis(800);
/// Pairs of rounds.
const PAIRS: usize = 4;

/// Measures both and shows medians, ranges and the ratio.
///
/// # Errors
/// When the bridge cannot be built or a connection fails.
pub fn show(switch: &Route) -> Result<()> {
    let bridge = Bridge::build()?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut congestion = String::new();
    for pair in 0..PAIRS {
        screen::progress(&format!("round {} of {PAIRS}", pair + 1));
        let switch_first = pair % 2 == 0;
        for is_switch in [switch_first, !switch_first] {
            let (name, route, speeds) = if is_switch {
                ("the switch", switch, &mut ours)
            } else {
                ("the bridge", &bridge.route, &mut theirs)
            };
            let speed = route.measure(ROUND).with_context(|| format!("TCP through {name}"))?;
            ensure!(speed.gigabits > 0.0, "no TCP data passed {name}");
            speeds.push(speed.gigabits);
            congestion = speed.congestion;
        }
    }
    screen::progress("");
    let ratios: Vec<f64> = ours.iter().zip(&theirs).map(|(ours, theirs)| ours / theirs).collect();
    screen::table(
        &["", "median", "range", "unit"],
        &[
            row("vswitch", &ours, 1, "Gbit/s"),
            row("Linux bridge", &theirs, 1, "Gbit/s"),
            row("ratio", &ratios, 2, "×"),
        ],
    );
    screen::note(&format!(
        "{PAIRS} interleaved rounds each, one stream, one CPU for everything, {congestion}; each at its defaults."
    ));
    Ok(())
}

fn row(name: &str, values: &[f64], digits: usize, unit: &str) -> Vec<String> {
    let sorted = sorted(values);
    let (low, high) = (sorted.first().copied().unwrap_or(0.0), sorted.last().copied().unwrap_or(0.0));
    vec![
        name.to_owned(),
        format!("{:.digits$}", median(&sorted)),
        format!("{low:.digits$} – {high:.digits$}"),
        unit.to_owned(),
    ]
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => 0.0,
        length if length % 2 == 1 => sorted[middle],
        _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_median_and_range() {
        assert_eq!(row("x", &[3.0, 1.0, 2.0], 1, "u"), ["x", "2.0", "1.0 – 3.0", "u"]);
        assert_eq!(row("x", &[4.0, 1.0, 2.0, 3.0], 2, "u"), ["x", "2.50", "1.00 – 4.00", "u"]);
    }
}

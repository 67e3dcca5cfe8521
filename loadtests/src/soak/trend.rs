//! Does a series rise? Pure.

/// Fewest points that say anything of a trend.
pub const FEWEST: usize = 3;

/// Share of all pairs of points whose later one must be the higher one.
const RISING: f64 = 0.8;

/// A rise below this share of the median, or below this many units, is noise.
const NOISE: (f64, f64) = (0.5, 20.0);

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}

/// How much evenly spaced values rise from the first to the last, by the median of all slopes (Theil-Sen); `None` when they
/// do not: too few, not in most pairs, or not by enough.
pub fn rise(values: &[f64]) -> Option<f64> {
    if values.len() < FEWEST {
        return None;
    }
    let pairs = || (0..values.len()).flat_map(|a| (a + 1..values.len()).map(move |b| (a, b)));
    let slopes: Vec<f64> = pairs().map(|(a, b)| (values[b] - values[a]) / (b - a) as f64).collect();
    let rising = slopes.iter().filter(|s| **s > 0.0).count() as f64 / slopes.len() as f64;
    let whole = median(slopes) * (values.len() - 1) as f64;
    let noise = (median(values.to_vec()) * NOISE.0).max(NOISE.1);
    (rising >= RISING && whole > noise).then_some(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::too_few(&[10.0, 500.0], None)]
    #[case::flat(&[12.0, 11.0, 13.0, 12.0], None)]
    #[case::small(&[10.0, 15.0, 20.0, 25.0], None)]
    #[case::one_peak(&[10.0, 11.0, 900.0, 12.0, 11.0], None)]
    #[case::falls(&[300.0, 200.0, 100.0], None)]
    #[case::rises(&[10.0, 60.0, 110.0, 160.0], Some(150.0))]
    #[case::rises_with_noise(&[100.0, 210.0, 190.0, 330.0, 420.0], Some(316.0))]
    fn only_a_steady_rise_is_one(#[case] values: &[f64], #[case] expected: Option<f64>) {
        let got = rise(values);
        match expected {
            Some(expected) => assert!(got.is_some_and(|got| (got - expected).abs() < 15.0), "{got:?}"),
            None => assert_eq!(got, None),
        }
    }
}

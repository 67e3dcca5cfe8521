//! Kubernetes quantities.

/// A quantity in thousandths, rounded up as the autoscaler does. `None` when the text is no quantity.
pub fn milli(text: &str) -> Option<i64> {
    let text = text.trim();
    let suffix_at = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))).unwrap_or(text.len());
    let (number, suffix) = text.split_at(suffix_at);
    let number: f64 = number.parse().ok()?;
    let scale = match suffix {
        "" => 1.0,
        "n" => 1e-9,
        "u" => 1e-6,
        "m" => 1e-3,
        "k" => 1e3,
        "M" => 1e6,
        "G" => 1e9,
        "T" => 1e12,
        "P" => 1e15,
        "E" => 1e18,
        "Ki" => 1024.0,
        "Mi" => 1024.0 * 1024.0,
        "Gi" => 1024.0 * 1024.0 * 1024.0,
        "Ti" => 1024.0_f64.powi(4),
        "Pi" => 1024.0_f64.powi(5),
        "Ei" => 1024.0_f64.powi(6),
        exponent => 10.0_f64.powi(exponent.strip_prefix(['e', 'E'])?.parse().ok()?),
    };
    let milli = number * scale * 1000.0;
    // A hair below a whole number is that number: floating point must not round it up by one.
    let whole = if (milli - milli.round()).abs() < 1e-6 { milli.round() } else { milli.ceil() };
    (whole.abs() < i64::MAX as f64).then_some(whole as i64)
}

#[cfg(test)]
mod tests {
    use super::milli;
    use rstest::rstest;

    #[rstest]
    #[case("100m", Some(100))]
    #[case("0.5", Some(500))]
    #[case("2", Some(2_000))]
    #[case("1k", Some(1_000_000))]
    #[case("1Ki", Some(1_024_000))]
    #[case("128Mi", Some(134_217_728_000))]
    #[case("1e3", Some(1_000_000))]
    #[case("1500u", Some(2))]
    #[case("-5m", Some(-5))]
    #[case("abc", None)]
    #[case("5Zi", None)]
    #[case("", None)]
    fn quantities_become_thousandths(#[case] text: &str, #[case] expected: Option<i64>) {
        assert_eq!(milli(text), expected);
    }
}

//! Quantities of resources, as the API server reads them: `100m`, `1.5`, `2Gi`, `1e3`.

use gauntlet_fixtures::manifest::{Field, Value};
use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

/// An amount, exact to the thousandth of a millionth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) struct Amount {
    nano: i128,
}

const NANO: i128 = 1_000_000_000;

impl Amount {
    /// The amount of a field; none when it holds no quantity.
    pub fn of(field: &Field<'_>) -> Option<Self> {
        match &field.node.value {
            Value::String(text) => Self::parse(text),
            Value::Number(number) => Self::parse(&number.to_string()),
            _ => None,
        }
    }

    /// Reads a number with a suffix or an exponent.
    pub fn parse(text: &str) -> Option<Self> {
        let end = text.find(|c: char| !(c.is_ascii_digit() || matches!(c, '+' | '-' | '.'))).unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (numerator, denominator) = factor(suffix)?;
        let (negative, digits) = match number.as_bytes().first()? {
            b'-' => (true, &number[1..]),
            b'+' => (false, &number[1..]),
            _ => (false, number),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = |part: &str| part.len() <= 18 && part.bytes().all(|byte| byte.is_ascii_digit());
        if (whole.is_empty() && fraction.is_empty()) || !is_number(whole) || !is_number(fraction) {
            return None;
        }
        let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
        let scale = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?.checked_mul(denominator)?;
        let nano = mantissa.checked_mul(numerator)?.checked_mul(NANO)? / scale;
        Some(Self { nano: if negative { -nano } else { nano } })
    }

    /// So many whole units.
    pub fn whole(units: i64) -> Self {
        Self { nano: i128::from(units) * NANO }
    }

    /// So many times this.
    pub fn times(self, count: i64) -> Self {
        Self { nano: self.nano.saturating_mul(i128::from(count)) }
    }

    /// How many times as much this is; none of nothing.
    pub fn ratio_to(self, other: Self) -> Option<f64> {
        (other.nano > 0).then(|| self.nano as f64 / other.nano as f64)
    }
}

/// The factor of a suffix, as a fraction.
fn factor(suffix: &str) -> Option<(i128, i128)> {
    let decimal = |power: u32| 10i128.pow(power);
    Some(match suffix {
        "" => (1, 1),
        "n" => (1, decimal(9)),
        "u" => (1, decimal(6)),
        "m" => (1, decimal(3)),
        "k" => (decimal(3), 1),
        "M" => (decimal(6), 1),
        "G" => (decimal(9), 1),
        "T" => (decimal(12), 1),
        "P" => (decimal(15), 1),
        "E" => (decimal(18), 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            match exponent {
                0..=18 => (decimal(exponent.unsigned_abs()), 1),
                -18..0 => (1, decimal(exponent.unsigned_abs())),
                _ => return None,
            }
        }
    })
}

impl Add for Amount {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nano: self.nano.saturating_add(other.nano) }
    }
}

impl Sub for Amount {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self { nano: self.nano.saturating_sub(other.nano) }
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(items: I) -> Self {
        items.fold(Self::default(), Add::add)
    }
}

impl fmt::Display for Amount {
    /// With the largest suffix that leaves no fraction.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffixes = [("Ti", 1i128 << 40), ("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10), ("", 1)];
        let whole = self.nano / NANO;
        if self.nano % NANO != 0 {
            return write!(f, "{}m", self.nano / (NANO / 1000));
        }
        let fits = |(_, factor): &(&str, i128)| whole != 0 && whole % factor == 0;
        let (suffix, factor) = suffixes.into_iter().find(fits).unwrap_or(("", 1));
        write!(f, "{}{suffix}", whole / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::Amount;

    #[rstest::rstest]
    #[case("100m", "100m")]
    #[case("0.1", "100m")]
    #[case("1500m", "1500m")]
    #[case("2000m", "2")]
    #[case("1.5", "1500m")]
    #[case("128Mi", "128Mi")]
    #[case("1024Mi", "1Gi")]
    #[case("0.5Gi", "512Mi")]
    #[case("134217728", "128Mi")]
    #[case("1M", "1000000")]
    #[case("1e3", "1000")]
    #[case("1E3", "1000")]
    #[case("-1", "-1")]
    #[case("0", "0")]
    fn quantities_are_read_and_shown(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(Amount::parse(text).map(|quantity| quantity.to_string()).as_deref(), Some(shown));
    }

    #[test]
    fn what_is_no_quantity_is_none() {
        for text in ["", "m", "1Q", "1mi", "1 Gi", "--1", "1.2.3", "1e99", "1e-99", "999999999999999999999", "٣"] {
            assert_eq!(Amount::parse(text), None, "{text}");
        }
    }

    #[test]
    fn equal_amounts_compare_equal_however_they_are_written() {
        assert_eq!(Amount::parse("1Gi"), Amount::parse("1073741824"));
        assert_eq!(Amount::parse("2E"), Amount::parse("2e18"));
        assert!(Amount::parse("1G") < Amount::parse("1Gi") && Amount::parse("900m") < Amount::parse("1"));
        let never_panics = Amount::parse("999999999999999999Ei").map(|big| big.times(i64::MAX) + big);
        assert!(never_panics.is_none_or(|big| big > Amount::default()));
    }
}

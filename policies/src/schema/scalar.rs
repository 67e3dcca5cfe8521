//! Single values against their types, as the API server decodes them: strictly, and without guessing.

use super::Flaw;
use super::types::Type;
use crate::amount::Amount;
use crate::credentials::is_base64;
use gauntlet_fixtures::manifest::{Node, Value};

/// The longest value that a message shows whole.
const SHOWN: usize = 60;

/// What is wrong with a value of a scalar type; none: nothing. Lists, maps and mappings are none of its business.
/// `null` is no value at all: see the walkers.
pub(super) fn flaw(of: &Type, node: &Node) -> Option<(Flaw, String)> {
    let wrong_type = || Some((Flaw::WrongType, format!("expected {}{}", of.expected(), remedy(of, node))));
    match (of, &node.value) {
        (Type::Any, _)
        | (Type::Boolean, Value::Bool(_))
        | (Type::Number, Value::Number(_))
        | (Type::IntOrText, Value::String(_))
        | (Type::Quantity, Value::Number(_)) => None,
        (Type::Int32 | Type::Int64 | Type::IntOrText, Value::Number(number)) => match whole(number) {
            None => wrong_type(),
            Some(value) if *of != Type::Int64 && i32::try_from(value).is_err() => {
                Some((Flaw::InvalidValue, format!("expected a whole number from {} to {}", i32::MIN, i32::MAX)))
            }
            Some(value) if i64::try_from(value).is_err() => {
                Some((Flaw::InvalidValue, format!("expected a whole number from {} to {}", i64::MIN, i64::MAX)))
            }
            Some(_) => None,
        },
        // An empty text is no value either: the API server fills in its default.
        (Type::Text(values), Value::String(text)) if !values.is_empty() && !text.is_empty() => {
            let known = values.iter().any(|value| value == text);
            (!known).then(|| (Flaw::InvalidValue, format!("expected {}", one_of(values.iter().filter(|it| !it.is_empty()).copied()))))
        }
        (Type::Text(_), Value::String(_)) => None,
        (Type::Quantity, Value::String(text)) if is_quantity(text) => None,
        (Type::Time, Value::String(text)) if is_time(text) => None,
        (Type::Bytes, Value::String(text)) if is_base64(text) => None,
        (Type::Quantity | Type::Time | Type::Bytes, Value::String(_)) => Some((Flaw::InvalidValue, format!("expected {}", of.expected()))),
        _ => wrong_type(),
    }
}

/// What stands there, for messages: `the text "80"`, `the number 80`, `a list`.
pub(super) fn shown(node: &Node) -> String {
    match &node.value {
        Value::String(text) if text.chars().count() <= SHOWN => format!("the text {text:?}"),
        Value::String(text) => format!("the text {:?}", text.chars().take(SHOWN).chain(['…']).collect::<String>()),
        Value::Number(number) => format!("the number {number}"),
        Value::Bool(value) => value.to_string(),
        Value::Sequence(_) => "a list".to_owned(),
        Value::Null | Value::Mapping(_) => node.type_name().to_owned(),
    }
}

/// How the value is mended, when it is only written wrongly.
fn remedy(of: &Type, node: &Node) -> &'static str {
    match (of, &node.value) {
        (Type::Text(_) | Type::Bytes | Type::Time, Value::Number(_) | Value::Bool(_)) => ": put it in quotes",
        (Type::Int32 | Type::Int64, Value::String(text)) if text.parse::<i64>().is_ok() => ": remove the quotes",
        (Type::Number, Value::String(text)) if text.parse::<f64>().is_ok() => ": remove the quotes",
        (Type::Boolean, Value::String(text)) if matches!(text.as_str(), "true" | "false") => ": remove the quotes",
        (Type::List(_), Value::Mapping(_) | Value::String(_)) => ": each item begins with a dash",
        _ => "",
    }
}

/// What is wrong with a value that is no list or no mapping where one belongs.
pub(super) fn collection_flaw(of: &Type, node: &Node) -> (Flaw, String) {
    (Flaw::WrongType, format!("expected {}{}", of.expected(), remedy(of, node)))
}

/// `A, B or C`.
pub(super) fn one_of<'v>(values: impl Iterator<Item = &'v str>) -> String {
    let values: Vec<&str> = values.collect();
    match values.as_slice() {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// The whole number; `3.0` is one, because kubectl sends it as `3`.
pub(super) fn whole(number: &serde_json::Number) -> Option<i128> {
    let of_float = || {
        let value = number.as_f64()?;
        // Larger ones are no exact numbers any more, and out of every range here.
        (value.fract() == 0.0 && value.abs() < 1e30).then_some(value as i128)
    };
    number.as_i64().map(i128::from).or_else(|| number.as_u64().map(i128::from)).or_else(of_float)
}

/// A number with a suffix or an exponent, however many digits it has.
fn is_quantity(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let end = unsigned.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(unsigned.len());
    let (number, suffix) = unsigned.split_at(end);
    let digits = number.bytes().filter(u8::is_ascii_digit).count();
    digits > 0 && number.len() - digits <= 1 && Amount::parse(&format!("1{suffix}")).is_some()
}

/// RFC 3339: `2026-01-31T12:00:00Z`, with a fraction of the second and an offset if wanted.
pub(super) fn is_time(text: &str) -> bool {
    let Some((day, rest)) = text.split_once('T') else { return false };
    let zone = rest.find(['Z', '+', '-']).unwrap_or(rest.len());
    let (clock, zone) = rest.split_at(zone);
    let (clock, fraction) = clock.split_once('.').map_or((clock, None), |(clock, fraction)| (clock, Some(fraction)));
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let clock = numbers(clock, ':', &[2, 2, 2]);
    let offset = zone.strip_prefix(['+', '-']).and_then(|zone| numbers(zone, ':', &[2, 2]));
    is_day(day)
        && clock.is_some_and(|it| it[0] < 24 && it[1] < 60 && it[2] < 60)
        && fraction.is_none_or(is_digits)
        && (zone == "Z" || offset.is_some_and(|it| it[0] < 24 && it[1] < 60))
}

/// `2026-01-31`.
pub(super) fn is_day(text: &str) -> bool {
    numbers(text, '-', &[4, 2, 2]).is_some_and(|it| {
        let leap = it[0] % 4 == 0 && (it[0] % 100 != 0 || it[0] % 400 == 0);
        let days = match it[1] {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if leap => 29,
            2 => 28,
            _ => 0,
        };
        (1..=days).contains(&it[2])
    })
}

/// Numbers of so many digits each.
fn numbers(text: &str, between: char, widths: &[usize]) -> Option<Vec<u32>> {
    let parts: Vec<&str> = text.split(between).collect();
    let fits = parts.len() == widths.len()
        && parts.iter().zip(widths).all(|(part, width)| part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit()));
    fits.then(|| parts.iter().filter_map(|part| part.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_fixtures::manifest::{Dialect, parse};
    use rstest::rstest;

    fn node(text: &str) -> Node {
        parse(text.as_bytes(), "x", Dialect::Kubectl).expect("parses").remove(0)
    }

    #[rstest]
    #[case("b", &["true", "no"], &["'true'", "1", "[]"])]
    #[case("i", &["80", "-1", "3.0", "1e3"], &["'80'", "1.5", "true", "3000000000", "{}"])]
    #[case("l", &["3000000000"], &["9223372036854775808", "1e300", "0.1"])]
    #[case("n", &["1", "0.5"], &["'1'"])]
    #[case("s", &["a", "'1'", "''"], &["1", "true", "[a]"])]
    #[case("s{A,B}", &["A", "B", "''"], &["a", "C", "1"])]
    #[case("x", &["80", "http", "50%"], &["1.5", "true", "3000000000"])]
    #[case("q", &["1", "0.5", "500m", "1Gi", "1e3", "1E", "-5", "+.5k", "10000000000000000000000"], &["1GB", "1 Gi", "''", "m", "1.2.3", "true"])]
    #[case("t", &["2026-01-31T12:00:00Z", "2024-02-29T23:59:59.123456+05:30"], &["2026-01-31", "2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00", "now"])]
    #[case("y", &["''", "aGk=", "aGVsbG8h"], &["a", "hi there", "aGk"])]
    fn values_are_taken_as_the_api_server_takes_them(#[case] word: &'static str, #[case] good: &[&str], #[case] bad: &[&str]) {
        let of = Type::read(word);
        for text in good {
            assert_eq!(flaw(&of, &node(text)), None, "{text} is taken for {word}");
        }
        for text in bad {
            assert!(flaw(&of, &node(text)).is_some(), "{text} is not taken for {word}");
        }
    }

    #[test]
    fn messages_name_what_is_expected_and_how_to_mend_it() {
        let say = |word, text| flaw(&Type::read(word), &node(text)).map(|(_, message)| message).unwrap_or_default();
        assert_eq!(say("i", "'80'"), "expected a whole number: remove the quotes");
        assert_eq!(say("s", "1.0"), "expected text: put it in quotes");
        assert_eq!(say("s{TCP,UDP,SCTP}", "tcp"), "expected TCP, UDP or SCTP");
        assert_eq!(shown(&node("'80'")), "the text \"80\"");
    }
}

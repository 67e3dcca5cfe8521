//! A text inside of JSON, by a path with dots.

use serde_json::Value;

/// The text or number at a path such as `payload.id`. A text on the way that is JSON itself is looked into: events carry
/// their payload as text.
pub fn at(value: &Value, path: &str) -> Option<String> {
    let (first, rest) = path.split_once('.').map_or((path, None), |(a, b)| (a, Some(b)));
    let found = value.get(first)?;
    match (found, rest) {
        (Value::String(text), None) => Some(text.clone()),
        (Value::Number(number), None) => Some(number.to_string()),
        (Value::String(text), Some(rest)) => at(&serde_json::from_str(text).ok()?, rest),
        (inner, Some(rest)) => at(inner, rest),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_and_numbers_are_found_also_in_json_inside_of_a_text() {
        let value = json!({"a": {"b": "x", "n": 7}, "p": "{\"id\":\"y\"}"});
        assert_eq!((at(&value, "a.b").as_deref(), at(&value, "a.n").as_deref(), at(&value, "p.id").as_deref()), (Some("x"), Some("7"), Some("y")));
        assert_eq!((at(&value, "a"), at(&value, "a.z"), at(&value, "p.id.q")), (None, None, None));
    }
}

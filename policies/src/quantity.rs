//! Numbers as manifests write them: shares and quantities.

use gauntlet_fixtures::manifest::Field;

/// A number, or a share of the replicas, rounded up or down as the field's meaning asks.
pub(crate) fn share(field: &Field<'_>, replicas: i64, up: bool) -> Option<i64> {
    let percent = |text: &str| text.strip_suffix('%')?.parse::<i64>().ok();
    let round = if up { 99 } else { 0 };
    field.node.as_i64().or_else(|| Some(percent(field.str()?)?.saturating_mul(replicas).saturating_add(round) / 100))
}

/// A quantity such as `10Gi`, `500m` or `1e3`, in its base unit.
pub(crate) fn quantity(field: &Field<'_>) -> Option<f64> {
    const UNITS: [(&str, f64); 16] = [
        ("Ki", 1024.0),
        ("Mi", 1_048_576.0),
        ("Gi", 1_073_741_824.0),
        ("Ti", 1_099_511_627_776.0),
        ("Pi", 1_125_899_906_842_624.0),
        ("Ei", 1_152_921_504_606_846_976.0),
        ("n", 1e-9),
        ("u", 1e-6),
        ("m", 1e-3),
        ("k", 1e3),
        ("M", 1e6),
        ("G", 1e9),
        ("T", 1e12),
        ("P", 1e15),
        ("E", 1e18),
        ("", 1.0),
    ];
    let Some(text) = field.str() else { return serde_json::Value::as_f64(&field.node.to_json()) };
    let digits = |text: &str| text.starts_with(|first: char| first.is_ascii_digit() || matches!(first, '+' | '-' | '.'));
    UNITS.iter().find_map(|(unit, factor)| {
        let number = text.strip_suffix(unit).filter(|number| digits(number))?;
        Some(number.parse::<f64>().ok()? * factor)
    })
}

#[cfg(test)]
mod tests {
    use gauntlet_fixtures::manifest::{Dialect, Field, parse};

    fn read(text: &str) -> Option<f64> {
        let document = parse(format!("a: {text}").as_bytes(), "x", Dialect::Kubectl).expect("parses").remove(0);
        super::quantity(&Field::root(&document).get("a").expect("a"))
    }

    #[test]
    fn quantities_are_read_as_the_api_server_reads_them() {
        assert_eq!(read("10Gi"), Some(10_737_418_240.0));
        assert_eq!((read("10"), read("'10'"), read("500m"), read("1e3"), read("'1e3'")), (Some(10.0), Some(10.0), Some(0.5), Some(1000.0), Some(1000.0)));
        assert_eq!((read("10GB"), read("''"), read("Gi"), read("inf"), read("NaN")), (None, None, None, None, None));
    }
}

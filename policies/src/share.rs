//! Numbers of pods as manifests write them: a count, or a share of the replicas.

use gauntlet_fixtures::manifest::Field;

/// A number, or a share of the replicas, rounded up or down as the field's meaning asks.
pub(crate) fn share(field: &Field<'_>, replicas: i64, up: bool) -> Option<i64> {
    let percent = |text: &str| text.strip_suffix('%')?.parse::<i64>().ok();
    let round = if up { 99 } else { 0 };
    field.node.as_i64().or_else(|| Some(percent(field.str()?)?.saturating_mul(replicas).saturating_add(round) / 100))
}

#[cfg(test)]
mod tests {
    use super::share;
    use gauntlet_fixtures::manifest::{Dialect, Field, parse};

    #[test]
    fn a_share_is_rounded_as_its_field_asks() {
        let of = |text: &str, up| {
            let document = parse(format!("a: {text}").as_bytes(), "x", Dialect::Kubectl).expect("parses").remove(0);
            share(&Field::root(&document).get("a").expect("a"), 5, up)
        };
        assert_eq!((of("2", true), of("50%", true), of("50%", false)), (Some(2), Some(3), Some(2)));
        assert_eq!((of("half", true), of("'%'", true)), (None, None));
    }
}

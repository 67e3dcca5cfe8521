//! Are custom metrics live? One that never moves under load scales nothing, whatever the HPA's conditions say. Pure.

use super::facts::One;
use crate::oracle::observation::Value;
use gauntlet_reports::run::Assertion;

/// One assertion for each metric of an HPA that is no resource.
pub(super) fn moved(one: One<'_>) -> Vec<Assertion> {
    let Some(hpa) = &one.seen().hpa else { return Vec::new() };
    let metrics: Vec<&str> = hpa.metrics.iter().filter(|m| !m.resource).map(|m| m.name.as_str()).collect();
    let id = |metric: &str| match metrics.as_slice() {
        [_] => one.id("custom_metric_moved"),
        // The last word of the name is the metric's own.
        _ => one.id(&format!("custom_metric_moved.{}", metric.rsplit(' ').next().unwrap_or(metric))),
    };
    metrics.iter().map(|metric| judge(one, id(metric), metric)).collect()
}

fn judge(one: One<'_>, id: String, metric: &str) -> Assertion {
    let expected = format!("the value that the HPA reports of {metric} changes during the push");
    let Some((from, to)) = one.facts.push() else {
        return Assertion::inconclusive(id, expected, "there was no push");
    };
    let all = || one.seen().values.iter().filter(|v| v.metric == metric);
    let standing = all().rfind(|v| v.at_ms < from);
    let values: Vec<&Value> = standing.into_iter().chain(all().filter(|v| (from..to).contains(&v.at_ms))).collect();
    let (Some(low), Some(high)) = (values.iter().map(|v| v.milli).min(), values.iter().map(|v| v.milli).max()) else {
        let why = one.seen().trouble().unwrap_or_else(|| "no reason was given".to_owned());
        return Assertion::inconclusive(id, expected, format!("it had no value: {why}"));
    };
    let target = values.last().map_or(0, |v| v.target_milli);
    if low == high {
        let reason = format!("it stayed at {} (target {}) for the {} s of the push", shown(low), shown(target), (to - from) / 1000);
        return Assertion::inconclusive(id, expected, reason);
    }
    let measured = format!("{} to {} (target {}), {} changes", shown(low), shown(high), shown(target), values.len() - 1);
    let course = values.iter().map(|v| format!("{:.0} s {}", v.at_ms as f64 / 1000.0, shown(v.milli)));
    Assertion::pass(id, expected, measured).with_evidence(course.collect::<Vec<_>>().join(", "))
}

/// Thousandths as a number without needless zeros.
fn shown(milli: i64) -> String {
    (milli as f64 / 1000.0).to_string()
}

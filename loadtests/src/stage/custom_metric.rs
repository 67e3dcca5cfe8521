//! Are custom metrics live? One that never moves under load scales nothing, whatever the HPA's conditions say. Pure.

use super::facts::One;
use crate::oracle::observation::{Observation, Value};
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;

/// The values of one metric over a time, as the HPA reported them.
pub(crate) struct Course<'a>(Vec<&'a Value>);

impl<'a> Course<'a> {
    /// In `[from_ms, to_ms)`, with the value that stood at its begin.
    pub(crate) fn of(seen: &'a Observation, metric: &str, from_ms: u64, to_ms: u64) -> Self {
        let all = || seen.values.iter().filter(|v| v.metric == metric);
        let standing = all().rfind(|v| v.at_ms < from_ms);
        Course(standing.into_iter().chain(all().filter(|v| (from_ms..to_ms).contains(&v.at_ms))).collect())
    }

    /// The lowest and the highest, in thousandths. None: there was no value.
    pub(crate) fn range(&self) -> Option<(i64, i64)> {
        Some((self.0.iter().map(|v| v.milli).min()?, self.0.iter().map(|v| v.milli).max()?))
    }

    /// Why there may be none, in the controller's words.
    pub(crate) fn why_none(seen: &Observation) -> String {
        seen.trouble().unwrap_or_else(|| "no reason was given".to_owned())
    }

    fn target(&self) -> i64 {
        self.0.last().map_or(0, |v| v.target_milli)
    }

    /// The last value and its target, for people.
    pub(crate) fn shown_last(&self) -> String {
        format!("{} (target {})", shown(self.0.last().map_or(0, |v| v.milli)), shown(self.target()))
    }

    /// From the lowest to the highest, for people.
    pub(crate) fn measured(&self) -> String {
        let (low, high) = self.range().unwrap_or_default();
        format!("{} to {} (target {}), {} changes", shown(low), shown(high), shown(self.target()), self.0.len().saturating_sub(1))
    }

    /// Every value with its time.
    pub(crate) fn evidence(&self) -> String {
        let course = self.0.iter().map(|v| format!("{:.0} s {}", v.at_ms as f64 / 1000.0, shown(v.milli)));
        course.collect::<Vec<_>>().join(", ")
    }
}

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
    let course = Course::of(one.seen(), metric, from, to);
    let Some((low, high)) = course.range() else {
        return Assertion::inconclusive(id, expected, format!("it had no value: {}", Course::why_none(one.seen())));
    };
    if low < high {
        return Assertion::pass(id, expected, course.measured()).with_evidence(course.evidence());
    }
    let stayed = format!("it stayed at {} for the {} s of the push", course.shown_last(), (to - from) / 1000);
    if let Some(socket) = one.soaked() {
        // Requests open no connections: the soak does, and judges the same metric by its own.
        let reason = format!("{stayed}; its pods hold connections, which the soak opens: see soak.{socket}.hpa_moved");
        return Assertion { verdict: Verdict::NotApplicable, ..Assertion::inconclusive(id, expected, reason) };
    }
    Assertion::inconclusive(id, expected, stayed)
}

/// Thousandths as a number without needless zeros.
fn shown(milli: i64) -> String {
    (milli as f64 / 1000.0).to_string()
}

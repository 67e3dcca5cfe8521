//! Did the faults on the events' way take effect, and did the HPA see the connections?

use super::super::facts::Facts;
use super::at;
use crate::stage::custom_metric::Course;
use gauntlet_reports::run::Assertion;

/// None where platform.yaml names no upstream.
pub(super) fn upstream(facts: &Facts) -> Option<Assertion> {
    if facts.plan.upstream.is_empty() {
        return None;
    }
    let id = facts.plan.id("upstream_deleted");
    let expected = format!("half of the pods of {} are deleted while clients listen", facts.plan.upstream.join(" and of "));
    let all: Result<Vec<_>, _> = facts.upstream.iter().map(Result::as_ref).collect();
    match all {
        Err(why) => Some(Assertion::inconclusive(id, expected, why)),
        Ok(all) if all.is_empty() => Some(Assertion::inconclusive(id, expected, "the soak ended before")),
        Ok(all) => {
            let told = all.iter().map(|u| format!("{} of {} of {} at {}", u.pods.len(), u.ready, u.workload, at(u.at_ms)));
            let flowed: u64 = facts.seen.seconds.iter().filter(|s| all.iter().any(|u| u.explains(s.at_ms))).map(|s| s.events).sum();
            let measured = format!("{}; {flowed} events in the time after", told.collect::<Vec<_>>().join(", "));
            Some(Assertion::check(id, flowed > 0, expected, measured, "no event came any more"))
        }
    }
}

/// One for each custom metric of the workload's HPA.
pub(super) fn scaling(facts: &Facts) -> Vec<Assertion> {
    let id = |metric: &str| facts.plan.id(&format!("hpa_moved.{metric}"));
    let expected = |metric: &str| format!("the value that the HPA reports of {metric} changes while connections are opened and held");
    let scaled = match &facts.scaled {
        None => return Vec::new(),
        Some(Err(why)) => return vec![Assertion::inconclusive(id("any"), expected("a custom metric"), why)],
        Some(Ok(scaled)) => scaled,
    };
    let metrics = scaled.seen.hpa.iter().flat_map(|hpa| &hpa.metrics).filter(|m| !m.resource);
    let judge = |metric: &crate::oracle::spec::Metric| {
        // The last word of the name is the metric's own.
        let (short, expected) = (metric.name.rsplit(' ').next().unwrap_or_default(), expected(&metric.name));
        let course = Course::of(&scaled.seen, &metric.name, 0, facts.quiet_ms);
        match course.range() {
            None => Assertion::inconclusive(id(short), expected, format!("{} had no value of it: {}", scaled.hpa, Course::why_none(&scaled.seen))),
            Some((low, high)) if low == high => Assertion::inconclusive(id(short), expected, format!("{} reported {} all the time", scaled.hpa, course.shown_last())),
            Some(_) => {
                let replicas = scaled.seen.points.iter().map(|p| p.desired);
                let wanted = format!("{} to {} replicas wanted", replicas.clone().min().unwrap_or(0), replicas.max().unwrap_or(0));
                Assertion::pass(id(short), expected, format!("{}: {}; {wanted}", scaled.hpa, course.measured())).with_evidence(course.evidence())
            }
        }
    };
    metrics.map(judge).collect()
}

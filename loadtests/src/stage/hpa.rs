//! The assertions on one HPA. Pure.

use super::custom_metric;
use super::facts::One;
use crate::oracle::compare::{Comparison, Outcome};
use crate::oracle::observation::Point;
use gauntlet_reports::run::Assertion;

/// Disagreements that are shown in full.
const SHOWN: usize = 5;

/// Every assertion after [`super::blind`]'s.
pub(super) fn all(one: One<'_>) -> Vec<Assertion> {
    let mut all = vec![scales_up(one), bounds(one), oracle(one), time_to_scale(one), no_flapping(one), scales_back(one)];
    all.extend(custom_metric::moved(one));
    all
}

fn scales_up(one: One<'_>) -> Assertion {
    let id = one.id("scales_up");
    let wanted = one.target.expect;
    let expected = format!("at least {wanted} pods Ready during the push of {} s", one.facts.profile.push_seconds);
    let (ready, desired) = (one.most_ready(), one.most_desired());
    let measured = format!("{ready} pods Ready, {desired} asked for");
    if ready >= wanted {
        return Assertion::pass(id, expected, measured);
    }
    if !one.facts.believable() {
        return Assertion::inconclusive(id, expected, format!("{measured}, but the load did not flow as planned"));
    }
    let reason = if desired >= wanted { why_not_ready(one) } else { why_not_more(one) };
    Assertion::fail(id, expected, measured, reason)
}

/// The HPA asked for enough pods, and they did not come.
fn why_not_ready(one: One<'_>) -> String {
    let stuck = one.seen().lives.iter().filter_map(|(name, life)| Some(format!("pod {name}: {}", life.stuck_why.as_ref()?)));
    let unready = one.new_pods().into_iter().filter(|(_, l)| l.ready_ms.is_none()).map(|(name, _)| format!("pod {name} was not Ready in time"));
    let all: Vec<_> = stuck.chain(unready).take(SHOWN).collect();
    format!("the HPA asked for enough pods, but they did not become Ready: {}", all.join("; "))
}

/// The HPA did not ask for enough pods: its own words, else its arithmetic.
fn why_not_more(one: One<'_>) -> String {
    if one.seen().hpa.is_none() {
        return "the HPA is gone".to_owned();
    }
    if let Some(trouble) = one.seen().trouble() {
        return format!("the HPA did not ask for more: {trouble}");
    }
    let (from, to) = one.facts.push().unwrap_or((0, 0));
    let highest = one.seen().comparisons.iter().filter(|c| (from..to).contains(&c.at_ms)).max_by_key(|c| c.high);
    let limited = one.points(from, to).iter().rev().find_map(|p| p.limited.clone()).map_or_else(String::new, |l| format!("; ScalingLimited: {l}"));
    match highest {
        Some(c) => format!("the HPA did not ask for more{limited}; its highest metrics: {}", c.metrics.join(", ")),
        None => format!("the HPA's metrics did not change during the push{limited}"),
    }
}

fn bounds(one: One<'_>) -> Assertion {
    let id = one.id("bounds");
    let Some(hpa) = &one.seen().hpa else { return Assertion::inconclusive(id, "", "the HPA is gone") };
    let expected = format!("{} to {} replicas asked for at all times", hpa.min, hpa.max);
    let desired = || one.seen().points.iter().map(|p| p.desired);
    let (Some(low), Some(high)) = (desired().min(), desired().max()) else {
        return Assertion::inconclusive(id, expected, "no state of the HPA was seen");
    };
    let holds = low >= hpa.min && high <= hpa.max;
    Assertion::check(id, holds, expected, format!("{low} to {high}"), "the HPA left its own bounds")
}

fn oracle(one: One<'_>) -> Assertion {
    let id = one.id("oracle");
    let expected = "every decision of the HPA is one that the documented algorithm allows";
    let of = |outcome: &dyn Fn(&Outcome) -> bool| one.seen().comparisons.iter().filter(|c| outcome(&c.outcome)).collect::<Vec<&Comparison>>();
    let wrong = of(&|o| *o == Outcome::Disagrees);
    let right = of(&|o| *o == Outcome::Agrees);
    let skipped = one.seen().comparisons.len() - wrong.len() - right.len();
    if wrong.is_empty() && right.is_empty() {
        let why = one.seen().comparisons.last().map_or("the HPA's status never changed".to_owned(), Comparison::text);
        return Assertion::inconclusive(id, expected, format!("no decision could be compared: {why}"));
    }
    let exact = right.iter().filter(|c| c.low == c.high).count();
    let measured = format!(
        "{} of {} decisions agree, {exact} of them to the replica; {skipped} could not be judged",
        right.len(),
        right.len() + wrong.len()
    );
    let Some(first) = wrong.first() else { return Assertion::pass(id, expected, measured) };
    let assertion = Assertion::fail(id, expected, measured, first.text());
    wrong.iter().take(SHOWN).fold(assertion, |a, c| a.with_evidence(c.text()))
}

fn time_to_scale(one: One<'_>) -> Assertion {
    let id = one.id("time_to_scale");
    let expected = "a new pod is Ready before the push ends; the time is split in detected, scheduled, Ready, serving";
    let timing = one.timing();
    if timing.first_ready_ms.is_some() {
        return Assertion::pass(id, expected, timing.text());
    }
    if timing.detected_ms.is_some() && one.facts.believable() {
        return Assertion::fail(id, expected, timing.text(), why_not_ready(one));
    }
    Assertion::inconclusive(id, expected, format!("nothing was scaled up: {}", timing.text()))
}

/// Changes of direction in a sequence of desired replicas.
fn turns(points: &[&Point]) -> usize {
    let steps = points.windows(2).map(|p| (p[1].desired - p[0].desired).signum()).filter(|s| *s != 0);
    let steps: Vec<_> = steps.collect();
    steps.windows(2).filter(|s| s[0] != s[1]).count()
}

fn no_flapping(one: One<'_>) -> Assertion {
    let id = one.id("no_flapping");
    let expected = "at most one change of direction in each step of the load";
    let Some((push, after)) = one.facts.push() else {
        return Assertion::inconclusive(id, expected, "there was no push");
    };
    let (during, quiet) = (one.points(push, after), one.points(after, u64::MAX));
    let measured = format!("{} in the push, {} after it", turns(&during), turns(&quiet));
    let sequence = |points: &[&Point]| {
        let mut seen: Vec<i32> = points.iter().map(|p| p.desired).collect();
        seen.dedup();
        seen.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
    };
    let reason = format!("the HPA asked for {} in the push and for {} after it", sequence(&during), sequence(&quiet));
    Assertion::check(id, turns(&during) <= 1 && turns(&quiet) <= 1, expected, measured, reason)
}

fn scales_back(one: One<'_>) -> Assertion {
    let id = one.id("scales_back");
    let min = one.seen().hpa.as_ref().map_or(0, |h| h.min);
    let window = one.seen().hpa.as_ref().map_or(0, |h| h.behavior.down.window_ms / 1000);
    let expected = format!("back to {min} pods within {} s after the push (scale-down window {window} s)", one.facts.profile.after_seconds);
    let Some(after) = one.facts.course.after_ms else {
        return Assertion::inconclusive(id, expected, "the load did not reach its quiet end");
    };
    if one.most_desired() <= min {
        return Assertion::inconclusive(id, expected, "nothing was scaled up that could come back");
    }
    match one.facts.course.back_ms.get(one.target.hpa) {
        Some(back) => Assertion::pass(id, expected, format!("back after {:.0} s", (back - after) as f64 / 1000.0)),
        None => {
            let last = one.seen().points.last().map_or((0, 0), |p| (p.ready, p.desired));
            let decided = one.seen().comparisons.last().map_or_else(String::new, |c| format!("; {}", c.text()));
            let measured = format!("{} pods Ready, {} asked for at the end", last.0, last.1);
            Assertion::fail(id, expected, measured, format!("the replicas did not come back in time{decided}"))
        }
    }
}

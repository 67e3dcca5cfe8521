//! The stage's assertions, made of what was seen. Pure.

use super::facts::Facts;
use super::slo;
use crate::oracle::compare::{Comparison, Outcome};
use crate::oracle::observe::Point;
use gauntlet_reports::run::Assertion;

/// A new pod that has been Ready for this long must have answered, in ms.
const MUST_SERVE_AFTER_MS: u64 = 15_000;

/// A pod may wait this long for a node, in ms: the scheduler's own retries.
const PENDING_GRACE_MS: u64 = 10_000;

/// Share of the push's seconds that must have carried requests.
const FLOWING_SHARE: f64 = 0.9;

/// Disagreements that are shown in full.
const SHOWN: usize = 5;

/// Every assertion after [`super::blind`]'s.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Assertion> {
    let mut all = vec![flowed(facts), scales_up(facts), bounds(facts), oracle(facts), time_to_scale(facts), no_flapping(facts), scales_back(facts)];
    all.extend(slo::all(facts));
    all.extend([new_pods_serve(facts), no_pending_pods(facts)]);
    all
}

fn flowed(facts: &Facts<'_>) -> Assertion {
    let id = "load.flowed";
    let expected = format!(
        "{} users send requests in at least {:.0} % of the push's seconds; the generator has the processor time it needs",
        facts.profile.push_users,
        FLOWING_SHARE * 100.0
    );
    let result = facts.result;
    let whole = result.window(0, u64::MAX);
    let ended = result.ended.as_ref().map_or("the load generator was killed", |e| e.why.as_str());
    if whole.requests == 0 {
        let reason = format!("no request was sent: {ended}{}", if result.complaint.is_empty() { String::new() } else { format!(": {}", result.complaint) });
        return Assertion::inconclusive(id, expected, reason);
    }
    if whole.requests == whole.failed() {
        let causes: Vec<_> = whole.errors.iter().map(|(cause, n)| format!("{n} x {cause}")).collect();
        return Assertion::fail(id, expected, format!("0 of {} requests answered as expected", whole.requests), format!("every request failed: {}", causes.join(", ")));
    }
    let Some((from, to)) = facts.push() else {
        return Assertion::inconclusive(id, expected, format!("the load ended before the push: {ended}"));
    };
    let seconds: Vec<_> = result.between(from, to).collect();
    let flowing = seconds.iter().filter(|s| !s.steps.is_empty()).count();
    let share = flowing as f64 / seconds.len().max(1) as f64;
    let users = seconds.iter().map(|s| s.users).max().unwrap_or(0);
    let push = result.window(from, to);
    let measured = format!(
        "{} requests in {} s by up to {users} users; generator late by more than {} ms in {:.0} % of seconds",
        push.requests,
        seconds.len(),
        crate::runner::STARVED_LAG_MS,
        result.starved_share() * 100.0
    );
    if share < FLOWING_SHARE || users < facts.profile.push_users {
        return Assertion::inconclusive(id, expected, format!("the load did not flow as planned: {measured}; {flowing} seconds with requests; {ended}"));
    }
    if result.starved() {
        return Assertion::inconclusive(id, expected, format!("the load generator was starved of processor time: {measured}"));
    }
    Assertion::pass(id, expected, measured)
}

fn scales_up(facts: &Facts<'_>) -> Assertion {
    let id = "hpa.scales_up";
    let wanted = i32::try_from(facts.profile.expect_replicas).unwrap_or(i32::MAX);
    let expected = format!("at least {wanted} pods Ready during the push of {} s", facts.profile.push_seconds);
    let (ready, desired) = (facts.most_ready(), facts.most_desired());
    let measured = format!("{ready} pods Ready, {desired} asked for");
    if ready >= wanted {
        return Assertion::pass(id, expected, measured);
    }
    if !facts.believable() {
        return Assertion::inconclusive(id, expected, format!("{measured}, but the load did not flow as planned"));
    }
    let reason = if desired >= wanted { why_not_ready(facts) } else { why_not_more(facts) };
    Assertion::fail(id, expected, measured, reason)
}

/// The HPA asked for enough pods, and they did not come.
fn why_not_ready(facts: &Facts<'_>) -> String {
    let stuck = facts.seen.lives.iter().filter_map(|(name, life)| Some(format!("pod {name}: {}", life.stuck_why.as_ref()?)));
    let unready = facts.new_pods().into_iter().filter(|(_, l)| l.ready_ms.is_none()).map(|(name, _)| format!("pod {name} was not Ready in time"));
    let all: Vec<_> = stuck.chain(unready).take(SHOWN).collect();
    format!("the HPA asked for enough pods, but they did not become Ready: {}", all.join("; "))
}

/// The HPA did not ask for enough pods: its own words, else its arithmetic.
fn why_not_more(facts: &Facts<'_>) -> String {
    let Some(hpa) = &facts.seen.hpa else { return "the HPA is gone".to_owned() };
    if let Some(trouble) = hpa.trouble() {
        return format!("the HPA did not ask for more: {trouble}");
    }
    let (from, to) = facts.push().unwrap_or((0, 0));
    let highest = facts.seen.comparisons.iter().filter(|c| (from..to).contains(&c.at_ms)).max_by_key(|c| c.high);
    let limited = facts.points(from, to).iter().rev().find_map(|p| p.limited.clone()).map_or_else(String::new, |l| format!("; ScalingLimited: {l}"));
    match highest {
        Some(c) => format!("the HPA did not ask for more{limited}; its highest metrics: {}", c.metrics.join(", ")),
        None => format!("the HPA's metrics did not change during the push{limited}"),
    }
}

fn bounds(facts: &Facts<'_>) -> Assertion {
    let id = "hpa.bounds";
    let Some(hpa) = &facts.seen.hpa else { return Assertion::inconclusive(id, "", "the HPA is gone") };
    let expected = format!("{} to {} replicas asked for at all times", hpa.min, hpa.max);
    let desired = || facts.seen.points.iter().map(|p| p.desired);
    let (Some(low), Some(high)) = (desired().min(), desired().max()) else {
        return Assertion::inconclusive(id, expected, "no state of the HPA was seen");
    };
    let holds = low >= hpa.min && high <= hpa.max;
    Assertion::check(id, holds, expected, format!("{low} to {high}"), "the HPA left its own bounds")
}

fn oracle(facts: &Facts<'_>) -> Assertion {
    let id = "hpa.oracle";
    let expected = "every decision of the HPA is one that the documented algorithm allows";
    let of = |outcome: &dyn Fn(&Outcome) -> bool| facts.seen.comparisons.iter().filter(|c| outcome(&c.outcome)).collect::<Vec<&Comparison>>();
    let wrong = of(&|o| *o == Outcome::Disagrees);
    let right = of(&|o| *o == Outcome::Agrees);
    let skipped = facts.seen.comparisons.len() - wrong.len() - right.len();
    if wrong.is_empty() && right.is_empty() {
        let why = facts.seen.comparisons.last().map_or("the HPA's status never changed".to_owned(), Comparison::text);
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

fn time_to_scale(facts: &Facts<'_>) -> Assertion {
    let id = "hpa.time_to_scale";
    let expected = "a new pod is Ready before the push ends; the time is split in detected, scheduled, Ready, serving";
    let timing = facts.timing();
    if timing.first_ready_ms.is_some() {
        return Assertion::pass(id, expected, timing.text());
    }
    if timing.detected_ms.is_some() && facts.believable() {
        return Assertion::fail(id, expected, timing.text(), why_not_ready(facts));
    }
    Assertion::inconclusive(id, expected, format!("nothing was scaled up: {}", timing.text()))
}

/// Changes of direction in a sequence of desired replicas.
fn turns(points: &[&Point]) -> usize {
    let steps = points.windows(2).map(|p| (p[1].desired - p[0].desired).signum()).filter(|s| *s != 0);
    let steps: Vec<_> = steps.collect();
    steps.windows(2).filter(|s| s[0] != s[1]).count()
}

fn no_flapping(facts: &Facts<'_>) -> Assertion {
    let id = "hpa.no_flapping";
    let expected = "at most one change of direction in each step of the load";
    let Some((push, after)) = facts.push() else {
        return Assertion::inconclusive(id, expected, "there was no push");
    };
    let (during, quiet) = (facts.points(push, after), facts.points(after, u64::MAX));
    let measured = format!("{} in the push, {} after it", turns(&during), turns(&quiet));
    let sequence = |points: &[&Point]| {
        let mut seen: Vec<i32> = points.iter().map(|p| p.desired).collect();
        seen.dedup();
        seen.iter().map(i32::to_string).collect::<Vec<_>>().join(" ")
    };
    let reason = format!("the HPA asked for {} in the push and for {} after it", sequence(&during), sequence(&quiet));
    Assertion::check(id, turns(&during) <= 1 && turns(&quiet) <= 1, expected, measured, reason)
}

fn scales_back(facts: &Facts<'_>) -> Assertion {
    let id = "hpa.scales_back";
    let min = facts.seen.hpa.as_ref().map_or(0, |h| h.min);
    let window = facts.seen.hpa.as_ref().map_or(0, |h| h.behavior.down.window_ms / 1000);
    let expected = format!("back to {min} pods within {} s after the push (scale-down window {window} s)", facts.profile.after_seconds);
    let Some(after) = facts.course.after_ms else {
        return Assertion::inconclusive(id, expected, "the load did not reach its quiet end");
    };
    if facts.most_desired() <= min {
        return Assertion::inconclusive(id, expected, "nothing was scaled up that could come back");
    }
    match facts.course.back_ms {
        Some(back) => Assertion::pass(id, expected, format!("back after {:.0} s", (back - after) as f64 / 1000.0)),
        None => {
            let last = facts.seen.points.last().map_or((0, 0), |p| (p.ready, p.desired));
            let decided = facts.seen.comparisons.last().map_or_else(String::new, |c| format!("; {}", c.text()));
            let measured = format!("{} pods Ready, {} asked for at the end", last.0, last.1);
            Assertion::fail(id, expected, measured, format!("the replicas did not come back in time{decided}"))
        }
    }
}

fn new_pods_serve(facts: &Facts<'_>) -> Assertion {
    let id = "load.new_pods_serve";
    let expected = format!("every new pod that is Ready for {} s answers requests", MUST_SERVE_AFTER_MS / 1000);
    let end = facts.push().map_or(0, |(_, end)| end);
    let old_enough = |ready: u64| ready + MUST_SERVE_AFTER_MS <= end;
    let pods = facts.new_pods().into_iter().filter(|(_, l)| l.ready_ms.is_some_and(old_enough) && l.gone_ms.is_none_or(|g| g > end));
    let pods: Vec<&str> = pods.map(|(name, _)| name).collect();
    if pods.is_empty() {
        return Assertion::inconclusive(id, expected, "no new pod was Ready for long enough");
    }
    let judged = |idle: Vec<&str>, by: &str| {
        let measured = format!("{} of {} new pods {by}", pods.len() - idle.len(), pods.len());
        Assertion::check(id, idle.is_empty(), expected.clone(), measured, format!("no traffic reached {}", idle.join(", ")))
    };
    if facts.timing().servers_are_named {
        let idle = pods.iter().copied().filter(|pod| !facts.result.servers.contains_key(*pod)).collect();
        return judged(idle, "answered requests");
    }
    match &facts.course.endpoints {
        Some(endpoints) => {
            let idle = pods.iter().copied().filter(|pod| !endpoints.contains(*pod)).collect();
            judged(idle, "are ready endpoints of the Service (answers carry no x-served-by, so requests could not be counted)")
        }
        None => Assertion::inconclusive(id, expected, "answers carry no x-served-by, and the Service's endpoints could not be read"),
    }
}

fn no_pending_pods(facts: &Facts<'_>) -> Assertion {
    let id = "load.no_pending_pods";
    let expected = format!("no pod waits for a node for more than {} s", PENDING_GRACE_MS / 1000);
    let stuck: Vec<_> = facts.seen.lives.iter().filter(|(_, life)| life.stuck_ms > PENDING_GRACE_MS).collect();
    let measured = format!("{} of {} pods waited longer", stuck.len(), facts.seen.lives.len());
    let told = |(name, life): &(&String, &crate::oracle::observe::Life)| {
        format!("{name} waited {} s: {}", life.stuck_ms / 1000, life.stuck_why.as_deref().unwrap_or("no reason was given"))
    };
    let reason = stuck.iter().take(SHOWN).map(told).collect::<Vec<_>>().join("; ");
    Assertion::check(id, stuck.is_empty(), expected, measured, reason)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

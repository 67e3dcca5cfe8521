//! The stage's assertions, made of what was seen. Pure.

use super::facts::{Facts, One};
use super::{hpa, slo};
use crate::oracle::observation::Life;
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;
use std::collections::BTreeSet;

/// A new pod that has been Ready for this long must have answered, in ms.
const MUST_SERVE_AFTER_MS: u64 = 15_000;

/// A pod may wait this long for a node, in ms: the scheduler's own retries.
const PENDING_GRACE_MS: u64 = 10_000;

/// Share of the push's seconds that must have carried requests.
const FLOWING_SHARE: f64 = 0.9;

/// Pods that are named in a reason.
const SHOWN: usize = 5;

/// Every assertion after [`super::blind`]'s.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Assertion> {
    let mut all = vec![flowed(facts)];
    all.extend(facts.each().flat_map(hpa::all));
    all.extend(slo::all(facts));
    all.extend(facts.each().next().map(new_pods_serve));
    all.push(no_pending_pods(facts));
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

/// Judged for the first target. Where its pods are not behind the entry point, no request of the load can name them: there
/// they must be ready endpoints of the Services through which requests reach the pods beside them.
fn new_pods_serve(one: One<'_>) -> Assertion {
    let id = "load.new_pods_serve";
    let facts = one.facts;
    let expected = format!("every new pod of {} that is Ready for {} s answers requests", one.target.hpa, MUST_SERVE_AFTER_MS / 1000);
    let end = facts.push().map_or(0, |(_, end)| end);
    let old_enough = |ready: u64| ready + MUST_SERVE_AFTER_MS <= end;
    let pods = one.new_pods().into_iter().filter(|(_, l)| l.ready_ms.is_some_and(old_enough) && l.gone_ms.is_none_or(|g| g > end));
    let pods: Vec<&str> = pods.map(|(name, _)| name).collect();
    if pods.is_empty() {
        return Assertion::inconclusive(id, expected, "no new pod was Ready for long enough");
    }
    let judged = |serves: &dyn Fn(&str) -> bool, by: &str| {
        let idle: Vec<&str> = pods.iter().copied().filter(|pod| !serves(pod)).collect();
        let measured = format!("{} of {} new pods {by}", pods.len() - idle.len(), pods.len());
        Assertion::check(id, idle.is_empty(), expected.clone(), measured, format!("no traffic reached {}", idle.join(", ")))
    };
    if one.timing().servers_are_named {
        return judged(&|pod| facts.result.servers.contains_key(pod), "answered requests");
    }
    let Some(services) = &facts.course.endpoints else {
        return Assertion::inconclusive(id, expected, "answers carry no x-served-by, and the Services' endpoints could not be read");
    };
    let own = |endpoints: &BTreeSet<String>| one.seen().lives.keys().any(|pod| endpoints.contains(pod));
    if let Some(endpoints) = facts.entry.and_then(|entry| services.get(entry)).filter(|endpoints| own(endpoints)) {
        let by = "are ready endpoints of the Service (answers carry no x-served-by, so requests could not be counted)";
        return judged(&|pod| endpoints.contains(pod), by);
    }
    let behind: Vec<_> = services.iter().filter(|(_, endpoints)| own(endpoints)).collect();
    if behind.is_empty() {
        let reason = "its pods are behind no Service: no request is meant to reach them";
        return Assertion { verdict: Verdict::NotApplicable, ..Assertion::inconclusive(id, expected, reason) };
    }
    let names: Vec<_> = behind.iter().map(|(name, _)| name.as_str()).collect();
    let by = format!("are ready endpoints of {} (they are not behind the entry point, so requests could not be counted)", names.join(", "));
    judged(&|pod| behind.iter().any(|(_, endpoints)| endpoints.contains(pod)), &by)
}

fn no_pending_pods(facts: &Facts<'_>) -> Assertion {
    let id = "load.no_pending_pods";
    let expected = format!("no pod waits for a node for more than {} s", PENDING_GRACE_MS / 1000);
    let pods: Vec<(&String, &Life)> = facts.each().flat_map(|one| &one.seen().lives).collect();
    let stuck: Vec<_> = pods.iter().filter(|(_, life)| life.stuck_ms > PENDING_GRACE_MS).collect();
    let measured = format!("{} of {} pods waited longer", stuck.len(), pods.len());
    let told = |(name, life): &&(&String, &Life)| {
        format!("{name} waited {} s: {}", life.stuck_ms / 1000, life.stuck_why.as_deref().unwrap_or("no reason was given"))
    };
    let reason = stuck.iter().take(SHOWN).map(told).collect::<Vec<_>>().join("; ");
    Assertion::check(id, stuck.is_empty(), expected, measured, reason)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;

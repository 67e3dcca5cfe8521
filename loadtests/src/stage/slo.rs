//! Service level objectives, phase by phase. Pure.

use super::facts::Facts;
use crate::series::Window;
use gauntlet_fixtures::platform::Slo;
use gauntlet_reports::run::Assertion;

/// Fewest requests that a phase is judged by.
const FEWEST: u64 = 20;

/// One assertion for each phase.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Assertion> {
    let slo = &facts.load.slo;
    [("before", slo.before), ("scaling", slo.scaling), ("during", slo.during), ("after", slo.after)]
        .map(|(phase, slo)| one(facts, phase, slo))
        .into()
}

fn one(facts: &Facts<'_>, phase: &str, slo: Slo) -> Assertion {
    let id = format!("slo.{phase}");
    let expected = format!("at most {:.2} % of requests fail, p95 at most {} ms", slo.error_ratio * 100.0, slo.p95_ms);
    let Some((from, to)) = facts.result.span(phase) else {
        let reason = match phase {
            "during" => "the replicas did not settle during the push, so there was no such phase",
            _ => "the load did not reach this phase",
        };
        return Assertion::inconclusive(id, expected, reason);
    };
    let window = facts.result.window(from, to);
    if window.requests < FEWEST {
        let reason = format!("{} requests in {} s are too few to judge", window.requests, window.seconds);
        return Assertion::inconclusive(id, expected, reason);
    }
    judge(id, expected, &window, slo, facts.result.starved())
}

fn judge(id: String, expected: String, window: &Window, slo: Slo, starved: bool) -> Assertion {
    let p95 = window.latency_ms(0.95);
    let shown = p95.map_or_else(|| "no answered request".to_owned(), |ms| format!("p95 {ms:.0} ms"));
    let measured = format!("{:.2} % of {} requests failed, {shown}", window.error_ratio() * 100.0, window.requests);
    let errors_hold = window.error_ratio() <= slo.error_ratio;
    let latency_holds = p95.is_some_and(|ms| ms <= slo.p95_ms as f64);
    if !errors_hold {
        let causes: Vec<_> = window.errors.iter().map(|(cause, n)| format!("{n} x {cause}")).collect();
        let reason = format!("too many failed requests, in {} of {} seconds: {}", window.seconds_with_errors, window.seconds, causes.join(", "));
        return Assertion::fail(id, expected, measured, reason);
    }
    if latency_holds {
        return Assertion::pass(id, expected, measured);
    }
    if starved {
        // A generator that waits for its processor measures its own waiting.
        return Assertion::inconclusive(id, expected, format!("{measured}, but the load generator itself was starved of processor time"));
    }
    Assertion::fail(id, expected, measured, "answers were too slow")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::{Second, StepSecond};
    use gauntlet_reports::verdict::Verdict;
    use rstest::rstest;
    use std::collections::BTreeMap;

    #[rstest]
    #[case::holds(0, 100, false, Verdict::Pass)]
    #[case::one_percent_still_holds(1, 100, false, Verdict::Pass)]
    #[case::errors(2, 100, false, Verdict::Fail)]
    #[case::slow(0, 300, false, Verdict::Fail)]
    #[case::slow_but_starved(0, 300, true, Verdict::Inconclusive)]
    #[case::errors_although_starved(50, 300, true, Verdict::Fail)]
    fn objectives(#[case] errors: u64, #[case] ms: u64, #[case] starved: bool, #[case] expected: Verdict) {
        let errors = if errors > 0 { BTreeMap::from([("status 503".to_owned(), errors)]) } else { BTreeMap::new() };
        let failed: u64 = errors.values().sum();
        let step = StepSecond { ok: 100 - failed, errors, latency_us: vec![(ms * 1000, 100 - failed)] };
        let second = Second { steps: BTreeMap::from([("a/b".to_owned(), step)]), ..Second::default() };
        let slo = Slo { error_ratio: 0.01, p95_ms: 200 };
        let got = judge("slo.during".into(), String::new(), &Window::of([&second]), slo, starved);
        assert_eq!(got.verdict, expected, "{got:?}");
        assert_eq!(got.reason.is_empty(), expected == Verdict::Pass);
    }
}

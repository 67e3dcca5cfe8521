//! The verdicts over the alerts of an experiment, from what [`crate::alert_watch`] saw.

use crate::alert_watch::{AlertLog, RESOLVED_WITHIN};
use gauntlet_fixtures::platform::Experiment as Spec;
use gauntlet_reports::run::Assertion;

/// When the fault stood, on the run's clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Held {
    /// Injection, in ms.
    pub from_ms: u64,
    /// Where the recovery began, in ms.
    pub until_ms: u64,
}

/// The verdicts over the alerts of an experiment. Pure.
pub fn judge(spec: &Spec, log: &AlertLog, held: Held) -> Vec<Assertion> {
    let seconds = |ms: u64| format!("{:.1} s", ms as f64 / 1000.0);
    let of = |alert: &String| {
        let id = format!("{}.alert.{alert}", spec.name);
        let expected = format!("{alert} fires while the fault holds, and resolves after it");
        if log.looks == 0 {
            let why = log.error.clone().unwrap_or_else(|| "it was not asked".to_owned());
            return Assertion::inconclusive(id, expected, format!("AlertManager was not seen: {why}"));
        }
        let changes = log.changes.get(alert).map_or(&[][..], Vec::as_slice);
        let before = changes.iter().rev().find(|c| c.at_ms <= held.from_ms);
        if before.is_some_and(|c| c.fires) {
            return Assertion::inconclusive(id, expected, "it fired already before the fault");
        }
        let Some(fired) = changes.iter().find(|c| c.fires && c.at_ms > held.from_ms && c.at_ms <= held.until_ms) else {
            let for_long = seconds(held.until_ms.saturating_sub(held.from_ms));
            return Assertion::fail(id, expected, "it did not fire", format!("it did not fire in the {for_long} that the fault held"));
        };
        let whom = if fired.receivers.is_empty() { "no receiver".to_owned() } else { fired.receivers.join(", ") };
        let told = format!("fired after {} at {whom}", seconds(fired.at_ms - held.from_ms));
        if fired.receivers.is_empty() {
            return Assertion::fail(id, expected, told, "AlertManager routes it to no receiver");
        }
        match changes.last() {
            Some(last) if !last.fires => Assertion::pass(id, expected, format!("{told}, resolved {} after recovery began", seconds(last.at_ms.saturating_sub(held.until_ms)))),
            _ => Assertion::fail(id, expected, told, format!("it still fired {} s after recovery", RESOLVED_WITHIN.as_secs())),
        }
    };
    spec.alerts.iter().map(of).chain([delivery(spec, log)]).collect()
}

/// The verdict over the messages: an alert that nobody is told of is worth nothing.
fn delivery(spec: &Spec, log: &AlertLog) -> Assertion {
    let id = format!("{}.notifications", spec.name);
    let expected = "AlertManager sends at least one message, and none fails";
    if log.changes.is_empty() {
        return Assertion::inconclusive(id, expected, "no alert was seen to fire");
    }
    let Some((first, last)) = log.notifications.filter(|(first, last)| first.sent <= last.sent) else {
        return Assertion::inconclusive(id, expected, "AlertManager's own count of its messages was not seen, or began anew");
    };
    let (sent, failed) = (last.sent - first.sent, last.failed.saturating_sub(first.failed));
    let told = format!("{} delivered, {failed} failed", sent.saturating_sub(failed));
    match (sent, failed) {
        (0, _) => Assertion::fail(id, expected, told, "AlertManager sent nothing: no receiver of these alerts has an integration"),
        (_, 0) => Assertion::pass(id, expected, told),
        _ => Assertion::fail(id, expected, told, "a receiver did not take AlertManager's messages"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert_watch::{Look, Notifications};
    use crate::cluster_view::sample;
    use gauntlet_reports::verdict::Verdict::{Fail, Inconclusive, Pass};
    use std::collections::BTreeMap;

    const HELD: Held = Held { from_ms: 10_000, until_ms: 70_000 };

    /// Looks at the given times; true: it fires.
    fn log(looks: &[(u64, bool)]) -> AlertLog {
        let mut log = AlertLog::default();
        for (at_ms, fires) in looks {
            let firing = if *fires { BTreeMap::from([("Down".to_owned(), vec!["critical".to_owned()])]) } else { BTreeMap::new() };
            let sent = log.changes.values().flatten().count() as u64;
            log.look(*at_ms, &Look { firing, notifications: Some(Notifications { sent, failed: 0 }) }, &["Down".to_owned()]);
        }
        log
    }

    fn judged(log: &AlertLog) -> Assertion {
        let spec = Spec { alerts: vec!["Down".into()], ..sample::spec("gone", sample::SERVICE) };
        judge(&spec, log, HELD).remove(0)
    }

    #[test]
    fn it_fires_in_time_and_resolves() {
        let good = judged(&log(&[(9_000, false), (45_000, true), (71_000, true), (90_000, false)]));
        assert_eq!((good.id.as_str(), good.verdict), ("gone.alert.Down", Pass));
        assert_eq!(good.measured, "fired after 35.0 s at critical, resolved 20.0 s after recovery began");
    }

    #[test]
    fn a_message_must_be_delivered() {
        let spec = Spec { alerts: vec!["Down".into()], ..sample::spec("gone", sample::SERVICE) };
        let mut seen = log(&[(9_000, false), (45_000, true), (90_000, false)]);
        let mut told = |first: (u64, u64), last: (u64, u64)| {
            let count = |(sent, failed)| Notifications { sent, failed };
            seen.notifications = Some((count(first), count(last)));
            let verdict = delivery(&spec, &seen);
            (verdict.verdict, verdict.measured)
        };
        assert_eq!(told((3, 1), (5, 1)), (Pass, "2 delivered, 0 failed".to_owned()));
        assert_eq!(told((3, 1), (5, 2)), (Fail, "1 delivered, 1 failed".to_owned()));
        assert_eq!(told((3, 1), (3, 1)).0, Fail);
        // It was started anew in between.
        assert_eq!(told((3, 1), (1, 0)).0, Inconclusive);
        assert_eq!(delivery(&spec, &AlertLog::default()).verdict, Inconclusive);
    }

    #[test]
    fn each_flaw_is_told() {
        assert_eq!(judged(&log(&[(9_000, false), (60_000, false)])).reason, "it did not fire in the 60.0 s that the fault held");
        assert_eq!(judged(&log(&[(9_000, false), (71_000, true), (90_000, false)])).verdict, Fail, "too late");
        assert_eq!(judged(&log(&[(9_000, false), (45_000, true)])).reason, "it still fired 150 s after recovery");
        assert_eq!(judged(&log(&[(9_000, true), (90_000, false)])).verdict, Inconclusive);
        let silent = AlertLog { error: Some("namespace shop has no AlertManager".into()), ..Default::default() };
        assert!(judged(&silent).reason.contains("has no AlertManager"));
        let mut unrouted = log(&[(9_000, false), (45_000, true), (90_000, false)]);
        unrouted.changes.get_mut("Down").expect("changes")[0].receivers.clear();
        assert_eq!(judged(&unrouted).reason, "AlertManager routes it to no receiver");
    }
}

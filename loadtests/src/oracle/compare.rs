//! One decision of the real controller beside the calculator's.

use super::ControllerSettings;
use super::algorithm::Tolerance;
use super::band::{Change, Decision, Past, Recommendation};
use super::census::CensusRange;
use super::spec::{HpaView, Metric};
use serde::Serialize;
use std::ops::RangeInclusive;

/// What became of a comparison.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The controller decided what the calculator allows.
    Agrees,
    /// It did not.
    Disagrees,
    /// There was nothing to compare, and why.
    NotJudged(String),
}

/// One comparison: a line of `hpa.jsonl`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// When the decision was seen, in ms on the run's clock.
    pub at_ms: u64,
    /// The replicas that the controller went by.
    pub current: i32,
    /// What it decided.
    pub desired: i32,
    /// The lowest right decision.
    pub low: i32,
    /// The highest right decision.
    pub high: i32,
    /// What each metric said and asked for.
    pub metrics: Vec<String>,
    /// What became of it.
    pub outcome: Outcome,
}

impl Comparison {
    /// For people.
    pub fn text(&self) -> String {
        let band = if self.low == self.high { self.low.to_string() } else { format!("{} to {}", self.low, self.high) };
        format!(
            "at {:.1} s: {} replicas, {}; expected {band}, the HPA decided {}",
            self.at_ms as f64 / 1000.0,
            self.current,
            self.metrics.join(", "),
            self.desired
        )
    }
}

/// Follows the controller through its syncs and keeps what later decisions depend on.
#[derive(Debug)]
pub struct Follower {
    settings: ControllerSettings,
    past: Past,
}

impl Follower {
    /// Begins at `now_ms`. `last_scale_ms`: when the HPA last scaled, if it ever did.
    pub fn new(settings: ControllerSettings, now_ms: u64, last_scale_ms: Option<i64>) -> Self {
        let unknown_change_ms = last_scale_ms.map(|at| u64::try_from(at).unwrap_or(0));
        // A change before the run is as far away as can be told: with the run's first moment it would count as fresh.
        let unknown_change_ms = unknown_change_ms.filter(|_| last_scale_ms.is_some_and(|at| at > now_ms as i64 - 600_000));
        Follower { settings, past: Past { known_since_ms: now_ms, unknown_change_ms, ..Past::default() } }
    }

    /// The past before `now_ms` has a gap: a watch was interrupted.
    pub fn forget(&mut self, now_ms: u64) {
        *self = Follower {
            settings: self.settings,
            past: Past { known_since_ms: now_ms, unknown_change_ms: Some(now_ms), ..Past::default() },
        };
    }

    /// Judges one status. `censuses` are in the order of the metrics.
    pub fn judge(&mut self, now_ms: u64, hpa: &HpaView, censuses: &[CensusRange]) -> Comparison {
        let slack_ms = self.settings.sync_period_ms + 2_000;
        let proposals: Vec<_> = hpa.metrics.iter().zip(censuses).map(|(m, c)| self.proposal(hpa, m, *c)).collect();
        let metrics = hpa.metrics.iter().zip(&proposals).map(|(m, p)| told(m, p.as_ref())).collect();
        let outside = hpa.current < hpa.min || hpa.current > hpa.max;
        let proposal = highest(&proposals);
        let not_judged = |reason: &str| Outcome::NotJudged(reason.to_owned());
        let mut comparison =
            Comparison { at_ms: now_ms, current: hpa.current, desired: hpa.desired, low: 0, high: 0, metrics, outcome: Outcome::Agrees };
        let stuck = hpa.conditions.iter().find(|c| !c.holds && (c.type_ == "ScalingActive" || c.type_ == "AbleToScale"));
        if let Some(condition) = stuck {
            comparison.outcome = not_judged(&condition.text());
            return comparison;
        }
        let Some(proposal) = proposal.or(outside.then_some(hpa.current..=hpa.current)) else {
            comparison.outcome = not_judged("no metric has a value");
            return comparison;
        };
        self.extend(now_ms);
        let decision = Decision {
            now_ms,
            slack_ms,
            current: hpa.current,
            proposal: proposal.clone(),
            bounds: (hpa.min, hpa.max),
            behavior: &hpa.behavior,
            past: &self.past,
        };
        let band = decision.band();
        (comparison.low, comparison.high) = (*band.start(), *band.end());
        if !band.contains(&hpa.desired) {
            comparison.outcome = Outcome::Disagrees;
        }
        self.remember(now_ms, proposal, hpa);
        comparison
    }

    fn extend(&mut self, now_ms: u64) {
        if let Some(last) = self.past.recommendations.last_mut() {
            last.until_ms = now_ms;
        }
    }

    fn remember(&mut self, now_ms: u64, proposal: RangeInclusive<i32>, hpa: &HpaView) {
        let (low, high) = proposal.into_inner();
        self.past.recommendations.push(Recommendation { from_ms: now_ms, until_ms: now_ms, low, high });
        if hpa.desired != hpa.current {
            self.past.changes.push(Change { at_ms: now_ms, delta: hpa.desired - hpa.current });
        }
    }

    /// What one metric can have asked for.
    fn proposal(&self, hpa: &HpaView, metric: &Metric, census: CensusRange) -> Option<RangeInclusive<i32>> {
        let reading = metric.reading?;
        // A ratio on the very edge of the tolerance may fall to either side in floating point.
        let tolerance = |by: f64| Tolerance { up: hpa.behavior.up.tolerance + by, down: hpa.behavior.down.tolerance + by };
        let all: Vec<_> = census
            .all()
            .flat_map(|c| [(0.0, -1e-9), (0.0, 1e-9), (0.999, -1e-9), (0.999, 1e-9)].map(|(f, t)| (c, f, t)))
            .map(|(c, fraction, by)| reading.proposal(hpa.current, c, tolerance(by), fraction))
            .collect();
        Some(*all.iter().min()?..=*all.iter().max()?)
    }
}

fn told(metric: &Metric, proposal: Option<&RangeInclusive<i32>>) -> String {
    let Some((reading, proposal)) = metric.reading.zip(proposal) else {
        return format!("{} has no value", metric.name);
    };
    let (current, target) = reading.pair();
    let asks = if proposal.start() == proposal.end() { proposal.start().to_string() } else { format!("{}-{}", proposal.start(), proposal.end()) };
    format!("{} {current}/{target} asks for {asks}", metric.name)
}

/// The highest of the metrics wins.
fn highest(proposals: &[Option<RangeInclusive<i32>>]) -> Option<RangeInclusive<i32>> {
    let known = || proposals.iter().flatten();
    Some(known().map(|p| *p.start()).max()?..=known().map(|p| *p.end()).max()?)
}

#[cfg(test)]
mod tests {
    use super::super::algorithm::{Census, Reading};
    use super::super::behavior::Behavior;
    use super::super::spec::Condition;
    use super::*;

    fn view(current: i32, desired: i32, cpu: i64, rps_milli: Option<i64>) -> HpaView {
        let metric = |name: &str, cpu, reading| Metric { name: name.into(), cpu, resource: cpu, reading };
        HpaView {
            min: 3,
            max: 20,
            current,
            desired,
            metrics: vec![
                metric("resource cpu", true, Some(Reading::Utilization { current: cpu, target: 70 })),
                metric("pods metric rps", false, rps_milli.map(|current| Reading::Average { current, target: 10_000 })),
            ],
            behavior: Behavior::standard(60_000, 0.1),
            conditions: Vec::new(),
            last_scale_unix_ms: None,
        }
    }

    fn ready(n: i32) -> [CensusRange; 2] {
        [CensusRange::of(&[Census { ready: n, ..Census::default() }]); 2]
    }

    fn follower() -> Follower {
        Follower::new(ControllerSettings { sync_period_ms: 5_000, ..ControllerSettings::default() }, 0, None)
    }

    #[test]
    fn a_right_decision_agrees_and_a_wrong_one_does_not() {
        // 140/70 over 3 pods asks for 6; rps 12.5/10 over 3 pods asks for 4; the highest wins.
        let right = follower().judge(100_000, &view(3, 6, 140, Some(12_500)), &ready(3));
        assert_eq!((right.outcome.clone(), right.low, right.high), (Outcome::Agrees, 6, 6), "{}", right.text());
        for wrong in [3, 4, 5, 7] {
            let comparison = follower().judge(100_000, &view(3, wrong, 140, Some(12_500)), &ready(3));
            assert_eq!(comparison.outcome, Outcome::Disagrees, "{}", comparison.text());
        }
    }

    #[test]
    fn uncertain_pods_widen_the_band() {
        let looks = [Census { ready: 3, unready: 3, missing: 0 }, Census { ready: 6, unready: 0, missing: 0 }];
        let censuses = [CensusRange::of(&looks); 2];
        let comparison = follower().judge(100_000, &view(6, 9, 140, None), &censuses);
        assert_eq!((comparison.low, comparison.high), (6, 12), "{}", comparison.text());
    }

    #[test]
    fn scaling_down_too_early_is_found() {
        let mut follower = follower();
        assert_eq!(follower.judge(100_000, &view(6, 6, 70, None), &ready(6)).outcome, Outcome::Agrees);
        // 20 s later the load is gone. The window of 60 s still holds 6.
        let early = follower.judge(120_000, &view(6, 3, 20, None), &ready(6));
        assert_eq!((early.outcome.clone(), early.low), (Outcome::Disagrees, 6), "{}", early.text());
        let late = follower.judge(240_000, &view(6, 3, 20, None), &ready(6));
        assert_eq!(late.outcome, Outcome::Agrees, "{}", late.text());
    }

    #[test]
    fn what_cannot_be_judged_says_why() {
        let mut blind = view(3, 3, 50, None);
        blind.metrics[0].reading = None;
        assert!(matches!(follower().judge(1, &blind, &ready(3)).outcome, Outcome::NotJudged(_)));
        let mut stuck = view(3, 3, 50, None);
        let condition = Condition { type_: "ScalingActive".into(), holds: false, reason: "FailedGetResourceMetric".into(), message: "no".into() };
        stuck.conditions.push(condition);
        let outcome = follower().judge(1, &stuck, &ready(3)).outcome;
        assert!(matches!(outcome, Outcome::NotJudged(why) if why.contains("FailedGetResourceMetric")));
    }
}

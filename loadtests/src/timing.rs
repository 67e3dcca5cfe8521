//! How long it took from the push until new pods served, split into its parts. Pure.

use crate::oracle::observation::{Life, Point};
use serde::Serialize;
use std::collections::BTreeMap;

/// Times from the start of the push, in ms. `None`: it did not happen.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TimeToScale {
    /// The HPA asked for more replicas than before the push.
    pub detected_ms: Option<u64>,
    /// The first new pod was bound to a node.
    pub scheduled_ms: Option<u64>,
    /// The first new pod was Ready.
    pub first_ready_ms: Option<u64>,
    /// The last of the new pods that became Ready was.
    pub all_ready_ms: Option<u64>,
    /// A new pod answered a request.
    pub serving_ms: Option<u64>,
    /// True when answers name the pod, so that `serving_ms` could be measured.
    pub servers_are_named: bool,
    /// New pods.
    pub new_pods: usize,
}

/// Splits the time to scale. `servers` are the first answers by server name, on the run's clock in ms; empty when answers do
/// not name their server.
pub fn time_to_scale(push_ms: u64, end_ms: u64, points: &[Point], lives: &BTreeMap<String, Life>, servers: &BTreeMap<String, u64>) -> TimeToScale {
    let before = points.iter().rfind(|p| p.at_ms < push_ms).or(points.first()).map_or(0, |p| p.desired);
    let during = |at: &u64| (push_ms..end_ms).contains(at);
    let since = |at: u64| at - push_ms;
    let new: Vec<_> = lives.iter().filter(|(_, life)| during(&life.seen_ms)).collect();
    let times = |of: fn(&Life) -> Option<u64>| new.iter().filter_map(move |(_, life)| of(life)).filter(during).map(since);
    TimeToScale {
        detected_ms: points.iter().find(|p| during(&p.at_ms) && p.desired > before).map(|p| since(p.at_ms)),
        scheduled_ms: times(|l| l.scheduled_ms).min(),
        first_ready_ms: times(|l| l.ready_ms).min(),
        all_ready_ms: times(|l| l.ready_ms).max(),
        serving_ms: new.iter().filter_map(|(name, _)| servers.get(*name).copied()).filter(during).map(since).min(),
        servers_are_named: lives.keys().any(|pod| servers.contains_key(pod)),
        new_pods: new.len(),
    }
}

impl TimeToScale {
    /// For people: each part from the one before.
    pub fn text(&self) -> String {
        let seconds = |ms: Option<u64>| ms.map_or_else(|| "never".to_owned(), |ms| format!("{:.1} s", ms as f64 / 1000.0));
        let serving = match self.serving_ms {
            None if !self.servers_are_named => "not measured (answers carry no x-served-by)".to_owned(),
            at => seconds(at),
        };
        format!(
            "from the push: detected {}, scheduled {}, first new pod Ready {}, all {} new pods Ready {}, first request served {serving}",
            seconds(self.detected_ms),
            seconds(self.scheduled_ms),
            seconds(self.first_ready_ms),
            self.new_pods,
            seconds(self.all_ready_ms),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(at_ms: u64, desired: i32) -> Point {
        Point { at_ms, current: 3, desired, ready: 3, limited: None }
    }

    fn life(seen_ms: u64, ready_ms: Option<u64>) -> Life {
        Life { seen_ms, scheduled_ms: Some(seen_ms + 100), ready_ms, ..Life::default() }
    }

    fn lives() -> BTreeMap<String, Life> {
        let entry = |name: &str, life| (name.to_owned(), life);
        BTreeMap::from([
            entry("old", life(0, Some(0))),
            entry("new-a", life(21_000, Some(24_000))),
            entry("new-b", life(21_500, Some(26_000))),
            entry("late", life(95_000, Some(96_000))),
        ])
    }

    #[test]
    fn the_parts_are_measured_from_the_push() {
        let points = [point(0, 3), point(20_000, 3), point(20_900, 6)];
        let servers = BTreeMap::from([("old".to_owned(), 500), ("new-b".to_owned(), 26_400)]);
        let got = time_to_scale(10_000, 90_000, &points, &lives(), &servers);
        let expected = TimeToScale {
            detected_ms: Some(10_900),
            scheduled_ms: Some(11_100),
            first_ready_ms: Some(14_000),
            all_ready_ms: Some(16_000),
            serving_ms: Some(16_400),
            servers_are_named: true,
            new_pods: 2,
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn what_did_not_happen_is_not_invented() {
        let got = time_to_scale(10_000, 90_000, &[point(0, 3), point(20_000, 3)], &BTreeMap::new(), &BTreeMap::new());
        assert_eq!(got, TimeToScale::default());
        assert!(got.text().contains("detected never") && got.text().contains("no x-served-by"), "{}", got.text());
    }
}

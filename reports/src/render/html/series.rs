//! Samples gathered into series, and long series thinned without losing their peaks.

use crate::event::{Event, EventKind};
use std::collections::{BTreeMap, BTreeSet};

/// A point: time on the run's clock in ms, and the value.
pub(super) type Point = (u64, f64);

/// One line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Series {
    /// The name as it was recorded, such as `latency_p99_ms`.
    pub name: String,
    /// What distinguishes it from others of the same name, such as a workload. Empty when there is nothing.
    pub of: String,
    /// In order of time.
    pub points: Vec<Point>,
}

/// The series of one platform. A series that comes per journey step only is joined over its steps: rates add up, of
/// latencies the worst one counts. The label `phase` tells nothing that the time axis does not tell.
pub(super) fn collect(events: &[&Event]) -> Vec<Series> {
    let mut whole: BTreeMap<(String, String), Vec<Point>> = BTreeMap::new();
    let mut by_step: BTreeMap<(String, String), Vec<Point>> = BTreeMap::new();
    for event in events {
        let EventKind::Sample { series, labels, value } = &event.kind else { continue };
        if !value.is_finite() {
            continue;
        }
        let of: BTreeSet<_> = labels.iter().filter(|(k, _)| *k != "step" && *k != "phase").map(|(_, v)| v.as_str()).collect();
        let key = (series.clone(), of.into_iter().collect::<Vec<_>>().join(" "));
        let map = if labels.contains_key("step") { &mut by_step } else { &mut whole };
        map.entry(key).or_default().push((event.at_ms, *value));
    }
    for (key, points) in by_step {
        let adds = key.0.ends_with("_per_s");
        whole.entry(key).or_insert_with(|| join(points, adds));
    }
    let mut all: Vec<_> = whole.into_iter().map(|((name, of), points)| Series { name, of, points }).collect();
    for series in &mut all {
        series.points.sort_by_key(|p| p.0);
    }
    all
}

fn join(points: Vec<Point>, adds: bool) -> Vec<Point> {
    let mut seconds: BTreeMap<u64, f64> = BTreeMap::new();
    for (at, value) in points {
        let sum = seconds.entry(at / 1000 * 1000).or_insert(0.0);
        *sum = if adds { *sum + value } else { sum.max(value) };
    }
    seconds.into_iter().collect()
}

/// At most two points per bucket of time, the lowest and the highest, in their own order: no peak is lost.
pub(super) fn thin(points: &[Point], buckets: u64) -> Vec<Point> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() as u64 <= buckets * 2 {
        return points.to_vec();
    }
    let width = ((last.0 - first.0) / buckets).max(1);
    let mut kept = Vec::new();
    for bucket in points.chunk_by(|a, b| (a.0 - first.0) / width == (b.0 - first.0) / width) {
        let by_value = |a: &&Point, b: &&Point| a.1.total_cmp(&b.1);
        if let (Some(low), Some(high)) = (bucket.iter().min_by(by_value), bucket.iter().max_by(by_value)) {
            let (a, b) = if low.0 <= high.0 { (low, high) } else { (high, low) };
            kept.push(*a);
            if a != b {
                kept.push(*b);
            }
        }
    }
    kept
}

/// Only the points where a step-wise series (replicas) changes, and the last one.
pub(super) fn changes(points: &[Point]) -> Vec<Point> {
    let last = points.len().saturating_sub(1);
    let changed = |i: usize| i == 0 || i == last || points[i].1 != points[i - 1].1;
    (0..points.len()).filter(|i| changed(*i)).map(|i| points[i]).collect()
}

/// How long a silence must be, in ms, before a line is broken rather than drawn across it.
pub(super) fn silence(points: &[Point]) -> u64 {
    let mut steps: Vec<u64> = points.windows(2).map(|w| w[1].0 - w[0].0).collect();
    steps.sort_unstable();
    steps.get(steps.len() / 2).map_or(5_000, |median| (median * 5).max(5_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(at_ms: u64, series: &str, label: Option<(&str, &str)>, value: f64) -> Event {
        let labels = label.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        Event { at_ms, platform: None, stage: None, kind: EventKind::Sample { series: series.into(), labels, value } }
    }

    #[test]
    fn steps_are_joined_only_when_nothing_speaks_for_the_whole() {
        let events = [
            sample(1100, "requests_per_s", Some(("step", "a")), 2.0),
            sample(1200, "requests_per_s", Some(("step", "b")), 3.0),
            sample(1100, "latency_p99_ms", Some(("step", "a")), 20.0),
            sample(1200, "latency_p99_ms", Some(("step", "b")), 90.0),
            sample(1200, "errors_per_s", Some(("step", "b")), 9.0),
            sample(1200, "errors_per_s", None, 1.0),
            sample(1200, "replicas_ready", Some(("workload", "order")), 3.0),
            sample(1300, "latency_p99_ms", None, f64::NAN),
        ];
        let all = collect(&events.iter().collect::<Vec<_>>());
        let found: Vec<_> = all.iter().map(|s| (s.name.as_str(), s.of.as_str(), s.points.as_slice())).collect();
        assert_eq!(
            found,
            [
                ("errors_per_s", "", &[(1200, 1.0)][..]),
                ("latency_p99_ms", "", &[(1000, 90.0)][..]),
                ("replicas_ready", "order", &[(1200, 3.0)][..]),
                ("requests_per_s", "", &[(1000, 5.0)][..]),
            ]
        );
    }

    #[test]
    fn thinning_keeps_a_single_peak() {
        let mut points: Vec<Point> = (0..100_000).map(|i| (i, 1.0)).collect();
        points[50_321].1 = 99.0;
        points[70_007].1 = -5.0;
        let thinned = thin(&points, 400);
        assert!(thinned.len() <= 804, "{}", thinned.len());
        assert!(thinned.contains(&(50_321, 99.0)) && thinned.contains(&(70_007, -5.0)));
        assert!(thinned.is_sorted_by_key(|p| p.0));
    }

    #[test]
    fn short_series_are_left_alone_and_steps_keep_their_changes() {
        let points = [(0, 3.0), (1, 3.0), (2, 3.0), (3, 5.0), (4, 5.0)];
        assert_eq!(thin(&points, 400), points);
        assert_eq!(changes(&points), [(0, 3.0), (3, 5.0), (4, 5.0)]);
        assert!(changes(&[]).is_empty() && thin(&[], 4).is_empty());
    }

    #[test]
    fn a_silence_is_measured_against_the_usual_step() {
        assert_eq!(silence(&[(0, 1.0), (1_000, 1.0), (2_000, 1.0), (60_000, 1.0)]), 5_000);
        assert_eq!(silence(&[(0, 1.0), (10_000, 1.0), (20_000, 1.0)]), 50_000);
    }
}

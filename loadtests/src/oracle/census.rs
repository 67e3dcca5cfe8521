//! Sorting pods as the autoscaler does, from the outside.
//!
//! Times are wall-clock times, in ms since 1970, as Kubernetes writes them: the autoscaler compares them to the second, and
//! moving them to the run's clock would blur them.

use super::ControllerSettings;
use super::algorithm::Census;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A pod of the scale target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// `status.phase`.
    pub phase: String,
    /// True when it is being deleted.
    pub deleted: bool,
    /// Its Ready condition and when it last changed; `None` before there is one.
    pub ready: Option<(bool, i64)>,
    /// `status.startTime`.
    pub started_ms: Option<i64>,
    /// When it was scheduled.
    pub scheduled_ms: Option<i64>,
    /// Why it cannot be scheduled.
    pub unschedulable: Option<String>,
    /// Its node.
    pub node: Option<String>,
}

impl PodView {
    /// True when it serves.
    pub fn is_ready(&self) -> bool {
        !self.deleted && self.ready.is_some_and(|(ready, _)| ready)
    }
}

/// A sample of `metrics.k8s.io`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// End of the window it was measured in.
    pub at_ms: i64,
    /// Length of that window, in ms.
    pub window_ms: i64,
}

/// The samples of pods, by pod.
pub type Samples = BTreeMap<String, Usage>;

/// What an observer can say of a census: between two of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CensusRange {
    /// Fewest of each.
    pub low: Census,
    /// Most of each.
    pub high: Census,
    /// Fewest and most pods in all.
    pub total: (i32, i32),
}

impl CensusRange {
    /// From several looks at the cluster around one sync.
    pub fn of(looks: &[Census]) -> Self {
        let pick = |f: fn(Census) -> i32| {
            let all = || looks.iter().map(|c| f(*c));
            (all().min().unwrap_or(0), all().max().unwrap_or(0))
        };
        let (ready, unready, missing) = (pick(|c| c.ready), pick(|c| c.unready), pick(|c| c.missing));
        CensusRange {
            low: Census { ready: ready.0, unready: unready.0, missing: missing.0 },
            high: Census { ready: ready.1, unready: unready.1, missing: missing.1 },
            total: pick(Census::total),
        }
    }

    /// Every census in the range.
    pub fn all(self) -> impl Iterator<Item = Census> {
        let (low, high, (fewest, most)) = (self.low, self.high, self.total);
        let censuses = move |ready| {
            (low.unready..=high.unready)
                .flat_map(move |unready| (low.missing..=high.missing).map(move |missing| Census { ready, unready, missing }))
        };
        (low.ready..=high.ready).flat_map(censuses).filter(move |c| (fewest..=most).contains(&c.total()))
    }
}

fn counted(pods: &[PodView]) -> impl Iterator<Item = &PodView> {
    pods.iter().filter(|p| !p.deleted && p.phase != "Failed")
}

/// The census for a resource metric. `cpu`: samples of pods that were not ready when measured do not count.
pub fn for_resource(pods: &[PodView], samples: &Samples, cpu: bool, settings: ControllerSettings, now_ms: i64) -> Census {
    let mut census = Census::default();
    for pod in counted(pods) {
        if pod.phase == "Pending" {
            census.unready += 1;
            continue;
        }
        match samples.get(&pod.name) {
            None => census.missing += 1,
            Some(sample) if cpu && is_unready(pod, *sample, settings, now_ms) => census.unready += 1,
            Some(_) => census.ready += 1,
        }
    }
    census
}

fn is_unready(pod: &PodView, sample: Usage, settings: ControllerSettings, now_ms: i64) -> bool {
    let (Some((ready, changed_ms)), Some(started_ms)) = (pod.ready, pod.started_ms) else { return true };
    if started_ms + settings.cpu_initialization_ms > now_ms {
        // Young: the whole window of the sample must lie after it became ready.
        !ready || sample.at_ms < changed_ms + sample.window_ms
    } else {
        // Old: only a pod that never became ready does not count.
        !ready && started_ms + settings.initial_readiness_delay_ms > changed_ms
    }
}

/// The censuses for a metric whose samples cannot be read one by one. A pod younger than `settled_ms` may have a sample
/// or not, so there are two.
pub fn for_custom(pods: &[PodView], settled_ms: i64, now_ms: i64) -> [Census; 2] {
    let (mut with, mut without) = (Census::default(), Census::default());
    for pod in counted(pods) {
        let young = pod.started_ms.is_none_or(|started| started + settled_ms > now_ms);
        let (a, b) = match pod.phase.as_str() {
            "Pending" => (&mut with.unready, &mut without.unready),
            _ if young => (&mut with.ready, &mut without.missing),
            _ => (&mut with.ready, &mut without.ready),
        };
        *a += 1;
        *b += 1;
    }
    [with, without]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(name: &str, started_ms: i64, ready: Option<(bool, i64)>) -> PodView {
        let phase = if ready.is_some() { "Running" } else { "Pending" };
        PodView { name: name.into(), phase: phase.into(), ready, started_ms: Some(started_ms), ..PodView::default() }
    }

    fn census(pods: &[PodView], cpu: bool) -> Census {
        let sample = |at_ms| Usage { at_ms, window_ms: 10_000 };
        let samples = Samples::from([("a".into(), sample(95_000)), ("b".into(), sample(95_000))]);
        for_resource(pods, &samples, cpu, ControllerSettings::default(), 100_000)
    }

    #[test]
    fn old_pods_with_samples_count() {
        let pods = [pod("a", -900_000, Some((true, -800_000))), pod("b", -900_000, Some((false, -100_000)))];
        // b was ready once: its sample counts although it is not ready now.
        assert_eq!(census(&pods, true), Census { ready: 2, unready: 0, missing: 0 });
    }

    #[test]
    fn young_pods_need_a_whole_window_after_they_became_ready() {
        let pods = [pod("a", 50_000, Some((true, 80_000))), pod("b", 50_000, Some((true, 90_000)))];
        assert_eq!(census(&pods, true), Census { ready: 1, unready: 1, missing: 0 });
        assert_eq!(census(&pods, false), Census { ready: 2, unready: 0, missing: 0 }, "memory does not mind");
    }

    #[test]
    fn pending_failed_deleted_and_missing() {
        let mut deleted = pod("a", -900_000, Some((true, -800_000)));
        deleted.deleted = true;
        let mut failed = pod("b", -900_000, Some((false, -800_000)));
        failed.phase = "Failed".into();
        let pods = [deleted, failed, pod("c", 0, None), pod("d", -900_000, Some((true, -800_000)))];
        assert_eq!(census(&pods, true), Census { ready: 0, unready: 1, missing: 1 });
    }

    #[test]
    fn two_looks_make_a_range() {
        let range = CensusRange::of(&[Census { ready: 3, unready: 1, missing: 0 }, Census { ready: 4, unready: 0, missing: 0 }]);
        let all: Vec<_> = range.all().collect();
        assert_eq!(all, [Census { ready: 3, unready: 1, missing: 0 }, Census { ready: 4, unready: 0, missing: 0 }]);
    }

    #[test]
    fn samples_of_a_young_pod_may_or_may_not_be_there() {
        let pods = [pod("a", -900_000, Some((true, -800_000))), pod("b", 90_000, Some((true, 95_000)))];
        let [with, without] = for_custom(&pods, 60_000, 100_000);
        assert_eq!((with.ready, without.ready, without.missing), (2, 1, 1));
    }
}

//! What the stage saw, for its assertions.

use crate::oracle::observation::{Life, Observation, Point};
use crate::plan::LoadPlan;
use crate::runner::LoadResult;
use crate::timing::{TimeToScale, time_to_scale};
use gauntlet_fixtures::platform::{Load, LoadProfile, WebSocketEndpoint};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// When what happened, in ms on the run's clock. `None`: it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Course {
    /// The push began.
    pub(super) push_ms: Option<u64>,
    /// The replicas of every target had settled.
    pub(super) settled_ms: Option<u64>,
    /// The push ended.
    pub(super) after_ms: Option<u64>,
    /// The replicas were back at their minimum, by HPA.
    pub(super) back_ms: BTreeMap<String, u64>,
    /// Pods among the ready endpoints at the end of the push, by Service; `None` when they could not be read.
    pub(super) endpoints: Option<BTreeMap<String, BTreeSet<String>>>,
}

/// One HPA as it was seen.
pub(super) struct Seen<'a> {
    /// Its name.
    pub(super) hpa: &'a str,
    /// What its assertions' ids begin with.
    pub(super) prefix: String,
    /// Replicas that the push must reach at least.
    pub(super) expect: i32,
    pub(super) seen: Observation,
}

/// Everything that the assertions are made of.
pub(super) struct Facts<'a> {
    pub(super) load: &'a Load,
    pub(super) profile: &'a LoadProfile,
    pub(super) plan: &'a LoadPlan,
    pub(super) result: &'a LoadResult,
    pub(super) course: &'a Course,
    /// The HPAs in the order of platform.yaml.
    pub(super) targets: Vec<Seen<'a>>,
    /// The Service of the load's entry point.
    pub(super) entry: Option<&'a str>,
    /// The platform's WebSocket endpoints.
    pub(super) sockets: &'a [WebSocketEndpoint],
}

/// One HPA among everything else.
#[derive(Clone, Copy)]
pub(super) struct One<'f> {
    pub(super) facts: &'f Facts<'f>,
    pub(super) target: &'f Seen<'f>,
}

impl Facts<'_> {
    /// Each HPA with everything else.
    pub(super) fn each(&self) -> impl Iterator<Item = One<'_>> {
        self.targets.iter().map(|target| One { facts: self, target })
    }

    /// Begin and end of the push. A push that was cut short ends with the last second.
    pub(super) fn push(&self) -> Option<(u64, u64)> {
        let end = self.course.after_ms.or_else(|| self.result.seconds.last().map(|s| s.at_ms + 1000));
        Some((self.course.push_ms?, end?))
    }

    /// True when the load can be believed: it flowed, and its generator was not starved.
    pub(super) fn believable(&self) -> bool {
        !self.result.starved() && self.push().is_some()
    }

    /// One line for the stage that passed.
    pub(super) fn summary(&self) -> String {
        let window = self.result.window(0, u64::MAX);
        let scaled = |one: One<'_>| {
            let fewest = one.seen().hpa.as_ref().map_or(0, |h| h.min);
            format!("{} scaled {fewest} to {} and back", one.target.hpa, one.most_ready())
        };
        let scaled: Vec<_> = self.each().map(scaled).collect();
        format!("{} requests, {} failed; {}", window.requests, window.failed(), scaled.join(", "))
    }
}

impl<'f> One<'f> {
    /// The id of one of its assertions.
    pub(super) fn id(self, what: &str) -> String {
        format!("{}.{what}", self.target.prefix)
    }

    /// What was seen of the HPA.
    pub(super) fn seen(self) -> &'f Observation {
        &self.target.seen
    }

    /// The WebSocket endpoint whose connections the HPA's workload holds, when it is one's.
    pub(super) fn soaked(self) -> Option<&'f str> {
        self.facts.sockets.iter().find(|s| s.workload == self.seen().workload).map(|s| s.name.as_str())
    }

    /// The HPA's points in `[from_ms, to_ms)`, with the one that stood at its begin.
    pub(super) fn points(self, from_ms: u64, to_ms: u64) -> Vec<&'f Point> {
        let points = &self.seen().points;
        let standing = points.iter().rfind(|p| p.at_ms < from_ms);
        standing.into_iter().chain(points.iter().filter(|p| (from_ms..to_ms).contains(&p.at_ms))).collect()
    }

    fn in_push(self) -> Vec<&'f Point> {
        self.facts.push().map(|(from, to)| self.points(from, to)).unwrap_or_default()
    }

    /// The most pods that served at once during the push.
    pub(super) fn most_ready(self) -> i32 {
        self.in_push().iter().map(|p| p.ready).max().unwrap_or(0)
    }

    /// The most replicas that the HPA asked for during the push.
    pub(super) fn most_desired(self) -> i32 {
        self.in_push().iter().map(|p| p.desired).max().unwrap_or(0)
    }

    /// Pods that appeared during the push.
    pub(super) fn new_pods(self) -> Vec<(&'f str, &'f Life)> {
        let Some((from, to)) = self.facts.push() else { return Vec::new() };
        let new = |life: &Life| (from..to).contains(&life.seen_ms);
        self.seen().lives.iter().filter(|(_, life)| new(life)).map(|(name, life)| (name.as_str(), life)).collect()
    }

    /// The time to scale, split.
    pub(super) fn timing(self) -> TimeToScale {
        let Some((from, to)) = self.facts.push() else { return TimeToScale::default() };
        time_to_scale(from, to, &self.seen().points, &self.seen().lives, &self.facts.result.servers)
    }
}

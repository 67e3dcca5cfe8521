//! What the stage saw, for its assertions.

use crate::oracle::observe::{Life, Observation, Point};
use crate::plan::LoadPlan;
use crate::runner::LoadResult;
use crate::timing::{TimeToScale, time_to_scale};
use gauntlet_fixtures::platform::{Load, LoadProfile};
use serde::Serialize;
use std::collections::BTreeSet;

/// When what happened, in ms on the run's clock. `None`: it did not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Course {
    /// The push began.
    pub(super) push_ms: Option<u64>,
    /// The replicas had settled.
    pub(super) settled_ms: Option<u64>,
    /// The push ended.
    pub(super) after_ms: Option<u64>,
    /// The replicas were back at their minimum.
    pub(super) back_ms: Option<u64>,
    /// Pods among the entry point's ready endpoints at the end of the push; `None` when they could not be read.
    pub(super) endpoints: Option<BTreeSet<String>>,
}

/// Everything that the assertions are made of.
pub(super) struct Facts<'a> {
    pub(super) load: &'a Load,
    pub(super) profile: &'a LoadProfile,
    pub(super) plan: &'a LoadPlan,
    pub(super) result: &'a LoadResult,
    pub(super) seen: &'a Observation,
    pub(super) course: &'a Course,
}

impl Facts<'_> {
    /// Begin and end of the push. A push that was cut short ends with the last second.
    pub(super) fn push(&self) -> Option<(u64, u64)> {
        let end = self.course.after_ms.or_else(|| self.result.seconds.last().map(|s| s.at_ms + 1000));
        Some((self.course.push_ms?, end?))
    }

    /// The HPA's points in `[from_ms, to_ms)`, with the one that stood at its begin.
    pub(super) fn points(&self, from_ms: u64, to_ms: u64) -> Vec<&Point> {
        let standing = self.seen.points.iter().rfind(|p| p.at_ms < from_ms);
        standing.into_iter().chain(self.seen.points.iter().filter(|p| (from_ms..to_ms).contains(&p.at_ms))).collect()
    }

    /// The most pods that served at once during the push.
    pub(super) fn most_ready(&self) -> i32 {
        let points = self.push().map(|(from, to)| self.points(from, to)).unwrap_or_default();
        points.iter().map(|p| p.ready).max().unwrap_or(0)
    }

    /// The most replicas that the HPA asked for during the push.
    pub(super) fn most_desired(&self) -> i32 {
        let points = self.push().map(|(from, to)| self.points(from, to)).unwrap_or_default();
        points.iter().map(|p| p.desired).max().unwrap_or(0)
    }

    /// Pods that appeared during the push.
    pub(super) fn new_pods(&self) -> Vec<(&str, &Life)> {
        let Some((from, to)) = self.push() else { return Vec::new() };
        let new = |life: &Life| (from..to).contains(&life.seen_ms);
        self.seen.lives.iter().filter(|(_, life)| new(life)).map(|(name, life)| (name.as_str(), life)).collect()
    }

    /// The time to scale, split.
    pub(super) fn timing(&self) -> TimeToScale {
        let Some((from, to)) = self.push() else { return TimeToScale::default() };
        time_to_scale(from, to, &self.seen.points, &self.seen.lives, &self.result.servers)
    }

    /// True when the load can be believed: it flowed, and its generator was not starved.
    pub(super) fn believable(&self) -> bool {
        !self.result.starved() && self.push().is_some()
    }

    /// One line for the stage that passed.
    pub(super) fn summary(&self) -> String {
        let window = self.result.window(0, u64::MAX);
        let fewest = self.seen.hpa.as_ref().map_or(0, |h| h.min);
        format!(
            "{} requests, {} failed; {} scaled {fewest} to {} and back",
            window.requests,
            window.failed(),
            self.load.hpa,
            self.most_ready()
        )
    }
}

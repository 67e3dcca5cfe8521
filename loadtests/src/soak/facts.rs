//! What a soak saw, for its assertions.

use super::board::Seen;
use super::kill::Kill;
use super::memory::Memory;
use super::plan::SoakPlan;
use super::scaling::Scaled;
use super::session::End;
use super::upstream::Upstream;
use super::windows::Windows;
use crate::runner::{STARVED_LAG_MS, STARVED_SHARE};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The connections over the pods.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Spread {
    /// By pod, before one was deleted.
    pub(super) before: BTreeMap<String, u32>,
    /// By pod, at the end.
    pub(super) after: BTreeMap<String, u32>,
    /// Pods that were Ready when clients were sent to the new one, and still were at the end.
    pub(super) ready: BTreeSet<String>,
    /// Why no clients were sent to the new pod; empty when they were.
    pub(super) not_rotated: String,
}

/// Everything that the assertions are made of.
pub(super) struct Facts {
    pub(super) plan: SoakPlan,
    /// When all connections were open, on the run's clock in ms; `None`: they never were.
    pub(super) opened_ms: Option<u64>,
    /// When clients were told to send no more.
    pub(super) quiet_ms: u64,
    pub(super) seen: Seen,
    pub(super) ends: Vec<End>,
    pub(super) windows: Windows,
    /// The deleted pod, or why there is none.
    pub(super) kill: Result<Kill, String>,
    /// The deleted pods of each upstream workload, or why there are none.
    pub(super) upstream: Vec<Result<Upstream, String>>,
    pub(super) spread: Spread,
    pub(super) memory: Memory,
    /// The workload's HPA, or why it was not watched; `None`: it has none that goes by a custom metric.
    pub(super) scaled: Option<Result<Scaled, String>>,
}

impl Facts {
    /// Events that came in all.
    pub(super) fn events(&self) -> u64 {
        self.ends.iter().map(|e| e.ledger.events).sum()
    }

    /// True when this process did not get enough processor time for its latencies to be believed.
    pub(super) fn starved(&self) -> bool {
        let late = self.seen.seconds.iter().filter(|s| s.lag_ms > STARVED_LAG_MS).count();
        late as f64 > STARVED_SHARE * self.seen.seconds.len() as f64
    }

    /// Numbers that a client had not seen at its end although another one had seen them when all were told to send no more:
    /// client, channel, how many.
    pub(super) fn behind(&self) -> Vec<(u32, &str, u64)> {
        let mut highest: BTreeMap<&str, u64> = BTreeMap::new();
        for (channel, seq) in self.ends.iter().flat_map(|e| &e.at_quiet) {
            let known = highest.entry(channel).or_default();
            *known = (*known).max(*seq);
        }
        let behind = |end: &'_ End, channel: &str, seq: u64| highest.get(channel).and_then(|h| h.checked_sub(seq)).filter(|n| *n > 0).map(|n| (end.client, n));
        let each = self.ends.iter().flat_map(|end| end.at_close.iter().map(move |(channel, seq)| (end, channel.as_str(), *seq)));
        each.filter_map(|(end, channel, seq)| behind(end, channel, seq).map(|(client, n)| (client, channel, n))).collect()
    }
}

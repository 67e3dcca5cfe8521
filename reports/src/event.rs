//! What happens in a run, on one clock.

use crate::finding::Finding;
use crate::run::{Assertion, StageName};
use crate::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One line of `events.jsonl`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Event {
    /// Milliseconds since the run's start.
    pub at_ms: u64,
    /// The platform, when the event belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// The stage, when the event belongs to one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<StageName>,
    /// What happened.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// Which part of a fault's life an event tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FaultPhase {
    /// Written to the journal, not applied yet.
    Journaled,
    /// Applied to the target.
    Applied,
    /// Seen to have taken effect.
    Proven,
    /// The fault was taken back.
    Recovered,
    /// The platform was seen to serve again.
    SteadyState,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum EventKind {
    /// The run began.
    RunStarted {
        /// The run's id.
        run_id: String,
        /// The seed.
        seed: u64,
    },
    /// The run ended.
    RunEnded {
        /// Its verdict.
        verdict: Verdict,
    },
    /// A provisioning step moved. Steps have no platform and no stage.
    Step {
        /// The step, such as `node image`.
        step: String,
        /// What it is doing.
        message: String,
        /// True when it is finished.
        done: bool,
        /// Its log file, if it has one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        log: Option<String>,
    },
    /// A stage began.
    StageStarted {
        /// How long it may take, in ms.
        expected_ms: u64,
    },
    /// A stage goes on.
    Progress {
        /// What is happening, for a person.
        message: String,
    },
    /// A stage ended.
    StageEnded {
        /// Its verdict.
        verdict: Verdict,
        /// Its reason.
        reason: String,
    },
    /// Something was asserted.
    Asserted(Assertion),
    /// A policy spoke.
    Found(Finding),
    /// A point of a time series, such as `requests_per_s`, `errors_per_s`, `latency_p50_ms`, `latency_p99_ms`,
    /// `replicas_ready`, `replicas_desired`, `cpu_percent_of_request`, `currently_healthy`.
    Sample {
        /// The series' name, with its unit as the suffix.
        series: String,
        /// What distinguishes it: `workload`, `step`, `phase`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        labels: BTreeMap<String, String>,
        /// The value.
        value: f64,
    },
    /// The load changed its phase: `before`, `scaling`, `during`, `after`.
    Phase {
        /// The phase that starts here.
        phase: String,
    },
    /// A fault moved through its life.
    Fault {
        /// The experiment, such as `delete-pod`.
        experiment: String,
        /// The target, such as `pod/globeco/order-7f9c`.
        target: String,
        /// Where in its life.
        phase: FaultPhase,
        /// What was seen.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        detail: String,
    },
    /// Kubernetes told us: a watch event or an Event object.
    Kubernetes {
        /// The object, such as `Pod globeco/order-7f9c`.
        object: String,
        /// The reason, such as `SuccessfulRescale`, `Ready`, `Deleted`.
        reason: String,
        /// The message.
        message: String,
    },
    /// Anything else worth keeping.
    Note {
        /// For a person.
        message: String,
    },
}

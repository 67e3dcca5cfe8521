//! The result of a run: what `run.json` holds.

use crate::verdict::Verdict;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The stages of a platform, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StageName {
    /// Manifests against policies.
    Policies,
    /// Manifests applied to the cluster and rolled out.
    Deploy,
    /// HTTP load and autoscaling.
    Load,
    /// WebSocket soak.
    Soak,
    /// Faults and recovery.
    Chaos,
    /// Backup and restore.
    Drill,
}

impl StageName {
    /// All stages in their order.
    pub const ALL: [StageName; 6] = [
        StageName::Policies,
        StageName::Deploy,
        StageName::Load,
        StageName::Soak,
        StageName::Chaos,
        StageName::Drill,
    ];

    /// The word as it stands in `run.json` and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            StageName::Policies => "policies",
            StageName::Deploy => "deploy",
            StageName::Load => "load",
            StageName::Soak => "soak",
            StageName::Chaos => "chaos",
            StageName::Drill => "drill",
        }
    }
}

impl std::fmt::Display for StageName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for StageName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        StageName::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| {
            let all: Vec<_> = StageName::ALL.iter().map(|s| s.as_str()).collect();
            format!("unknown stage {text:?}; the stages are {}", all.join(", "))
        })
    }
}

/// One thing that was expected, and what was measured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Assertion {
    /// Stable id inside its stage, such as `hpa.scales_up` or `delete-pod.recovers`.
    pub id: String,
    /// The judgement.
    pub verdict: Verdict,
    /// What was expected, for a person, with units.
    pub expected: String,
    /// What was measured, for a person, with units. Empty when nothing could be measured.
    pub measured: String,
    /// Why the verdict is what it is. Never empty unless the verdict is Pass.
    pub reason: String,
    /// Files (relative to the run's folder) or short texts that show it.
    #[serde(default)]
    pub evidence: Vec<String>,
}

impl Assertion {
    fn new(id: impl Into<String>, verdict: Verdict, expected: impl Into<String>, measured: impl Into<String>, reason: impl Into<String>) -> Self {
        Assertion { id: id.into(), verdict, expected: expected.into(), measured: measured.into(), reason: reason.into(), evidence: Vec::new() }
    }

    /// It holds.
    pub fn pass(id: impl Into<String>, expected: impl Into<String>, measured: impl Into<String>) -> Self {
        Self::new(id, Verdict::Pass, expected, measured, "")
    }

    /// It does not hold, and `reason` names the cause.
    pub fn fail(id: impl Into<String>, expected: impl Into<String>, measured: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(id, Verdict::Fail, expected, measured, reason)
    }

    /// It could not be judged, and `reason` says why.
    pub fn inconclusive(id: impl Into<String>, expected: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::new(id, Verdict::Inconclusive, expected, "", reason)
    }

    /// Pass when `holds`, else Fail with `reason`.
    pub fn check(id: impl Into<String>, holds: bool, expected: impl Into<String>, measured: impl Into<String>, reason: impl Into<String>) -> Self {
        if holds { Self::pass(id, expected, measured) } else { Self::fail(id, expected, measured, reason) }
    }

    /// The same with one more piece of evidence.
    pub fn with_evidence(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}

/// One stage of one platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StageReport {
    /// Which stage.
    pub name: StageName,
    /// The sum of its assertions.
    pub verdict: Verdict,
    /// The first cause when the verdict is not Pass; what was done when it is.
    pub reason: String,
    /// Start on the run's clock, in ms.
    pub started_ms: u64,
    /// End on the run's clock, in ms.
    pub ended_ms: u64,
    /// What was asserted.
    pub assertions: Vec<Assertion>,
}

impl StageReport {
    /// The stage judged by its assertions. `summary` is the reason when everything passed.
    pub fn judge(name: StageName, started_ms: u64, ended_ms: u64, assertions: Vec<Assertion>, summary: impl Into<String>) -> Self {
        let verdict = match Verdict::of(assertions.iter().map(|a| a.verdict)) {
            Verdict::NotApplicable if assertions.is_empty() => Verdict::Inconclusive,
            other => other,
        };
        let first = assertions.iter().find(|a| a.verdict == verdict && verdict != Verdict::Pass);
        let reason = match first {
            Some(a) => format!("{}: {}", a.id, a.reason),
            None if assertions.is_empty() => "nothing was asserted".to_owned(),
            None => summary.into(),
        };
        StageReport { name, verdict, reason, started_ms, ended_ms, assertions }
    }

    /// The stage has nothing to judge on this platform.
    pub fn not_applicable(name: StageName, at_ms: u64, reason: impl Into<String>) -> Self {
        StageReport { name, verdict: Verdict::NotApplicable, reason: reason.into(), started_ms: at_ms, ended_ms: at_ms, assertions: Vec::new() }
    }

    /// The stage could not be judged as a whole.
    pub fn inconclusive(name: StageName, started_ms: u64, ended_ms: u64, reason: impl Into<String>) -> Self {
        StageReport { name, verdict: Verdict::Inconclusive, reason: reason.into(), started_ms, ended_ms, assertions: Vec::new() }
    }
}

/// One platform of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlatformReport {
    /// Its name, such as `globeco`.
    pub name: String,
    /// The sum of its stages.
    pub verdict: Verdict,
    /// Its stages in their order.
    pub stages: Vec<StageReport>,
}

impl PlatformReport {
    /// The platform judged by its stages.
    pub fn judge(name: impl Into<String>, stages: Vec<StageReport>) -> Self {
        PlatformReport { name: name.into(), verdict: Verdict::of(stages.iter().map(|s| s.verdict)), stages }
    }
}

/// Where the run ran.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// Operating system, such as `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// Kernel release.
    pub kernel: String,
    /// Logical cores.
    pub cores: usize,
    /// Memory in MiB.
    pub memory_mib: u64,
}

/// The cluster that the run ran on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClusterInfo {
    /// `kind` or `existing`.
    pub provider: String,
    /// Cluster or context name.
    pub name: String,
    /// Kubernetes version, such as `v1.34.4`.
    pub kubernetes: String,
    /// Node names.
    pub nodes: Vec<String>,
    /// Controller settings that differ from Kubernetes' defaults, name to value.
    pub tuned: BTreeMap<String, String>,
    /// What stands in for a part that could not be had, part to substitute.
    pub substitutions: BTreeMap<String, String>,
}

/// A whole run: the content of `run.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Unique, sortable by time.
    pub run_id: String,
    /// The sum of the platforms.
    pub verdict: Verdict,
    /// Why, when there is no platform to say so: provisioning failed, another run holds the lock.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// The seed of everything random in the run.
    pub seed: u64,
    /// `quick` or `standard`.
    pub profile: String,
    /// Wall-clock start, RFC 3339.
    pub started_at: String,
    /// Length in ms.
    pub duration_ms: u64,
    /// Where it ran.
    pub host: Host,
    /// What it ran on; absent when no cluster was needed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<ClusterInfo>,
    /// The platforms.
    pub platforms: Vec<PlatformReport>,
}

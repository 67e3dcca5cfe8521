//! What every experiment is: a pure plan, a fault that is applied, and a proof that it took effect.

use crate::cluster_view::ClusterView;
use crate::cluster_watch::ClusterWatch;
use crate::error::ChaosError;
use crate::eviction::Evictions;
use crate::journal::Recovery;
use crate::node_control::NodeControl;
use crate::targets::{BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use gauntlet_reports::recorder::Recorder;
use kube::Client;
use serde::Serialize;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// What is going to be done, before anything is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// The target.
    pub target: FaultTarget,
    /// All that may be disturbed.
    pub blast_radius: BlastRadius,
    /// What must be seen when the fault took effect.
    pub expected_effect: String,
    /// How it is recovered, as the journal keeps it.
    pub recovery: Recovery,
}

/// What an experiment works with.
pub struct FaultContext<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The live view of the platform's namespace.
    pub watch: &'a ClusterWatch,
    /// The nodes' machines.
    pub nodes: &'a dyn NodeControl,
    /// Where events go, scoped to the platform and the chaos stage.
    pub recorder: &'a Recorder,
    /// Fires on Ctrl-C.
    pub stop: &'a CancellationToken,
    /// The experiment as platform.yaml describes it.
    pub spec: &'a Spec,
}

impl FaultContext<'_> {
    /// Recovery time objective.
    pub fn rto(&self) -> Duration {
        Duration::from_secs(self.spec.rto_seconds)
    }
}

/// What applying the fault did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effect {
    /// UIDs of the pods that it took away.
    pub lost: BTreeSet<String>,
    /// A workload that must have at least so many replicas again to be full, when the fault changed their number.
    pub at_least: Option<(String, i32)>,
    /// What was done, for a person.
    pub detail: String,
    /// What became of evictions, for faults that evict.
    pub evictions: Option<Evictions>,
    /// The pods were asked to go and had their time: they must end by themselves.
    pub graceful: bool,
}

/// One experiment. One file in `experiments/`, one row in [`registry`](crate::registry).
pub trait Experiment: Send + Sync {
    /// The rule by which the target is drawn, for a plan without a cluster.
    fn selection(&self, spec: &Spec) -> String;

    /// Draws the target. Pure.
    ///
    /// # Errors
    /// When nothing qualifies, with the reasons.
    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError>;

    /// Asks the cluster for what the plan still needs, above all for what the recovery must know. Nothing is changed, and
    /// the journal is written only after it.
    fn prepare<'a>(&'a self, _ctx: &'a FaultContext<'a>, _plan: &'a mut Plan) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Applies the fault. Called only after the journal is on disk. An error leaves the fault to be recovered.
    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>>;

    /// Waits until the cluster shows the effect, and says what it shows.
    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>>;
}

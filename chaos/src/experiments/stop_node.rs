//! # What it does
//! Stops the machine behind a worker node (for kind: the node's container), keeps it down for `holdSeconds`, and starts
//! it again. The node is drawn by the run's seed among those that run a ready pod of the target and none of the spared
//! workloads.
//!
//! # Why it matters
//! A machine dies without saying goodbye: nothing is drained, endpoints stay listed until the control plane has noticed,
//! and pods are replaced only after their toleration. What clients see meanwhile is what readiness, replicas over nodes
//! and timeouts are for.
//!
//! # Blast radius
//! One worker node, never the control plane. The platform's pods on it are named in the plan, and so are the pods of
//! other namespaces that share its fate.
//!
//! # Recovery
//! The provider starts the machine, also while the API server does not answer. Read back: the node is Ready and the
//! namespace's workloads are full.

use crate::cluster_view::ClusterView;
use crate::cluster_watch::Waited;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::steady_state::NodeDown;
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use std::time::Duration;

/// The experiment.
pub struct StopNode;

/// An untuned control plane takes 40 to 50 s to notice.
const NOTICED_WITHIN: Duration = Duration::from_secs(90);

impl Experiment for StopNode {
    fn selection(&self, spec: &Spec) -> String {
        let spare = if spec.target.spare.is_empty() { "nothing".to_owned() } else { spec.target.spare.join(", ") };
        let target = targets::described(&spec.target);
        format!("one worker node that runs a ready pod of {target} and no pod of {spare}, drawn from the nodes sorted by name")
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError> {
        let node = targets::draw_node(view, &spec.target, seed, &spec.name)?.name.clone();
        let pods = view.pods.iter().filter(|p| p.node == node && !p.finished).map(|p| p.name.clone()).collect();
        let namespace = view.namespace.clone();
        Ok(Plan {
            target: FaultTarget::Node { name: node.clone() },
            blast_radius: BlastRadius { namespace: namespace.clone(), pods, nodes: vec![node.clone()], bystanders: vec![] },
            expected_effect: format!("node {node} is Ready=False or Unknown for {} s, then Ready=True", spec.hold_seconds),
            recovery: Recovery::StartNode { node, namespace },
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let FaultTarget::Node { name } = &plan.target else {
                return Err(ChaosError::Platform("stop-node takes a node".into()));
            };
            ctx.nodes.stop(name).await?;
            // Its pods are not lost for good: they count again when the node is Ready again.
            Ok(Effect { detail: format!("the machine of node {name} is stopped"), ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, _effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let FaultTarget::Node { name } = &plan.target else {
                return Err(ChaosError::Platform("stop-node takes a node".into()));
            };
            if ctx.nodes.is_running(name).await? {
                return Err(ChaosError::TimedOut { what: format!("node {name} to stop"), last_seen: "its machine still runs".into() });
            }
            match ctx.watch.wait_until(&NodeDown(name.clone()), NOTICED_WITHIN, ctx.stop).await {
                Waited::Met => {
                    let status = ctx.watch.view().node(name).map(|n| n.ready_status.clone()).unwrap_or_default();
                    Ok(format!("its machine is stopped and node {name} is Ready={status}"))
                }
                Waited::Stopped => Err(ChaosError::Stopped),
                Waited::TimedOut(last_seen) => Err(ChaosError::TimedOut { what: format!("node {name} to be not Ready"), last_seen }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{SERVICE, STORE, cluster, spec, target};

    #[test]
    fn the_store_is_spared_and_the_radius_is_named() {
        let spec = Spec { target: target(SERVICE, &[STORE]), ..spec("stop-node", SERVICE) };
        let plan = StopNode.plan(&cluster(), &spec, 1).expect("plan");
        assert_eq!(plan.target.to_string(), "node/worker-2");
        assert_eq!(plan.blast_radius.pods, ["order-b", "order-c"]);
        let both = target(SERVICE, &[STORE, SERVICE]);
        assert!(StopNode.plan(&cluster(), &Spec { target: both, ..spec }, 1).is_err());
    }
}

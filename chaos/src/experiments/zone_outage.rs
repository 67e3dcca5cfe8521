//! # What it does
//! Stops the machines of every worker node of one zone at once, keeps them down for `holdSeconds`, and starts them again. The
//! zone is drawn by the run's seed among those that run a ready pod of the target and none of the spared workloads.
//!
//! # Why it matters
//! Zones are the unit in which clouds fail. Replicas that are spread over nodes but not over zones, stores whose quorum sits
//! in one zone, and volumes that cannot follow show only then.
//!
//! # Blast radius
//! The workers of one zone of at least three, never the control plane. The platform's pods on them are named in the plan,
//! and so are the pods of other namespaces that share their fate.
//!
//! # Recovery
//! The provider starts the machines, also while the API server does not answer. Read back: every node is Ready and the
//! namespace's workloads are full.

use crate::cluster_view::ClusterView;
use crate::cluster_watch::Waited;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::steady_state::{All, Condition, NodeDown};
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use std::time::Duration;

/// The experiment.
pub struct ZoneOutage;

/// An untuned control plane takes 40 to 50 s to notice.
const NOTICED_WITHIN: Duration = Duration::from_secs(90);

fn nodes(plan: &Plan) -> Result<&[String], ChaosError> {
    match &plan.target {
        FaultTarget::Zone { nodes, .. } => Ok(nodes),
        other => Err(ChaosError::Platform(format!("zone-outage takes a zone, not {other}"))),
    }
}

impl Experiment for ZoneOutage {
    fn selection(&self, spec: &Spec) -> String {
        let spare = if spec.target.spare.is_empty() { "nothing".to_owned() } else { spec.target.spare.join(", ") };
        format!("one zone of at least {} that runs a ready pod of {} and no pod of {spare}, drawn from the zones sorted by name", targets::ZONES_NEEDED, spec.target.workload)
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError> {
        let (zone, nodes) = targets::draw_zone(view, &spec.target, seed, &spec.name)?;
        let pods = view.pods.iter().filter(|p| nodes.contains(&p.node) && !p.finished).map(|p| p.name.clone()).collect();
        let namespace = view.namespace.clone();
        Ok(Plan {
            target: FaultTarget::Zone { name: zone.clone(), nodes: nodes.clone() },
            blast_radius: BlastRadius { namespace: namespace.clone(), pods, nodes: nodes.clone(), bystanders: vec![] },
            expected_effect: format!("every node of {zone} is Ready=False or Unknown for {} s, then Ready=True", spec.hold_seconds),
            recovery: Recovery::StartNodes { nodes, namespace },
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let nodes = nodes(plan)?;
            futures::future::try_join_all(nodes.iter().map(|node| ctx.nodes.stop(node))).await?;
            Ok(Effect { detail: format!("the machines of {} are stopped", nodes.join(", ")), ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, _effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let nodes = nodes(plan)?;
            let down = All(nodes.iter().map(|n| Box::new(NodeDown(n.clone())) as Box<dyn Condition>).collect());
            match ctx.watch.wait_until(&down, NOTICED_WITHIN, ctx.stop).await {
                Waited::Met => Ok(format!("the machines of {} are stopped, and none of the nodes is Ready", nodes.join(", "))),
                Waited::Stopped => Err(ChaosError::Stopped),
                Waited::TimedOut(last_seen) => Err(ChaosError::TimedOut { what: "the nodes of the zone to be not Ready".into(), last_seen }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, SERVICE, STORE, cluster};

    #[test]
    fn the_plan_names_every_node_and_pod_of_the_zone() {
        let mut view = cluster();
        view.nodes.push(sample::node("worker-3"));
        for (at, zone) in [(1, "a"), (2, "b"), (3, "c")] {
            view.nodes[at].zone = zone.into();
        }
        let spec = Spec { target: sample::target(SERVICE, &[STORE]), ..sample::spec("zone-outage", SERVICE) };
        let plan = ZoneOutage.plan(&view, &spec, 1).expect("plan");
        assert_eq!(plan.target.to_string(), "zone/b (worker-2)");
        assert_eq!(plan.blast_radius.pods, ["order-b", "order-c"]);
        assert!(matches!(plan.recovery, Recovery::StartNodes { nodes, .. } if nodes == ["worker-2"]));
        view.nodes.pop();
        assert!(ZoneOutage.plan(&view, &spec, 1).is_err());
    }
}

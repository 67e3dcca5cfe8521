//! # What it does
//! Deletes one ready pod of a workload through the API, with the pod's own grace period. The pod is drawn by the run's
//! seed.
//!
//! # Why it matters
//! Rollouts, node upgrades and the kernel's memory killer take pods every day. A delete does not ask
//! PodDisruptionBudgets. A service that drains, and whose endpoint is withdrawn before its listener closes, loses no
//! request; one that acknowledges before it has stored loses writes.
//!
//! # Blast radius
//! One pod of the platform's namespace. The delete carries the pod's UID, so that a pod that was already replaced is not
//! deleted in its place.
//!
//! # Recovery
//! Nothing to take back. The workload must be seen full again: as many ready pods as its spec asks for, without the UID
//! that was deleted.

use crate::cluster_view::ClusterView;
use crate::cluster_watch::Waited;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::steady_state::PodsGone;
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::{DeleteParams, Preconditions};
use std::time::Duration;

/// The experiment.
pub struct DeletePod;

/// A pod may use its grace period (the API's default is 30 s) and the kubelet some time more.
const GONE_WITHIN: Duration = Duration::from_secs(120);

impl Experiment for DeletePod {
    fn selection(&self, spec: &Spec) -> String {
        format!("one ready pod of {}, drawn from the pods sorted by node and name", targets::described(&spec.target))
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError> {
        let pod = targets::draw_pod(view, &spec.target, seed, &spec.name)?;
        targets::inside(view, &view.namespace, &pod.name)?;
        let namespace = view.namespace.clone();
        Ok(Plan {
            target: FaultTarget::Pod {
                namespace: namespace.clone(),
                name: pod.name.clone(),
                uid: pod.uid.clone(),
                node: pod.node.clone(),
            },
            blast_radius: BlastRadius { namespace: namespace.clone(), pods: vec![pod.name.clone()], ..Default::default() },
            expected_effect: format!("the pod with UID {} is gone; {} is full again without it", pod.uid, spec.target.workload),
            recovery: Recovery::WorkloadsFull { namespace },
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let FaultTarget::Pod { namespace, name, uid, .. } = &plan.target else {
                return Err(ChaosError::Platform("delete-pod takes a pod".into()));
            };
            let pods: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
            let preconditions = Preconditions { uid: Some(uid.clone()), ..Default::default() };
            let params = DeleteParams { preconditions: Some(preconditions), ..Default::default() };
            pods.delete(name, &params).await.map_err(ChaosError::kubernetes(format!("delete pod {name}")))?;
            Ok(Effect { lost: [uid.clone()].into(), detail: format!("pod {name} deleted"), graceful: true, ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let gone = PodsGone(effect.lost.clone());
            match ctx.watch.wait_until(&gone, GONE_WITHIN, ctx.stop).await {
                Waited::Met => Ok(format!("{} is gone, with its UID", plan.target)),
                Waited::Stopped => Err(ChaosError::Stopped),
                Waited::TimedOut(last_seen) => Err(ChaosError::TimedOut { what: "the pod's end".into(), last_seen }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, SERVICE, STORE, cluster};

    fn spec(workload: &str) -> Spec {
        sample::spec("delete-pod", workload)
    }

    #[test]
    fn the_plan_is_one_pod_of_the_workload_and_repeats_with_its_seed() {
        let plan = DeletePod.plan(&cluster(), &spec(STORE), 3).expect("plan");
        assert_eq!(plan.blast_radius.pods, ["db-0"]);
        assert_eq!(plan.target.to_string(), "pod/shop/db-0");
        let again = |seed| DeletePod.plan(&cluster(), &spec(SERVICE), seed).expect("plan");
        assert_eq!(again(9), again(9));
    }

    #[test]
    fn no_pod_no_plan() {
        assert!(DeletePod.plan(&cluster(), &spec("Deployment/none"), 3).is_err());
    }
}

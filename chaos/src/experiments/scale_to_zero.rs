//! # What it does
//! Takes all pods of one workload away for `holdSeconds`, by scaling it to nothing, and gives it its replicas back. An HPA
//! does nothing meanwhile: it is switched off while its target asks for no pods.
//!
//! # Why it matters
//! A service that is gone as a whole is what alerts and degraded answers are for. Losing one pod of three shows neither.
//!
//! # Blast radius
//! The pods of one workload of the platform's namespace.
//!
//! # Recovery
//! The workload asks for the replicas from before again. Read back: the namespace's workloads are full.

use crate::cluster_view::ClusterView;
use crate::cluster_watch::Waited;
use crate::error::ChaosError;
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::steady_state::PodsGone;
use crate::targets::{BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use std::time::Duration;

/// The experiment.
pub struct ScaleToZero;

/// Pods may use their grace period (the API's default is 30 s) and the kubelet some time more.
const GONE_WITHIN: Duration = Duration::from_secs(120);

/// Sets the replicas of a Deployment or StatefulSet.
///
/// # Errors
/// When the API server refuses.
pub async fn scale(client: &Client, namespace: &str, workload: &str, replicas: i32) -> Result<(), ChaosError> {
    let (params, patch) = (PatchParams::default(), Patch::Merge(json!({"spec": {"replicas": replicas}})));
    let done = match workload.split_once('/') {
        Some(("Deployment", name)) => Api::<Deployment>::namespaced(client.clone(), namespace).patch_scale(name, &params, &patch).await,
        Some(("StatefulSet", name)) => Api::<StatefulSet>::namespaced(client.clone(), namespace).patch_scale(name, &params, &patch).await,
        _ => return Err(ChaosError::Platform(format!("scale {workload}: it is neither a Deployment nor a StatefulSet"))),
    };
    done.map(drop).map_err(ChaosError::kubernetes(format!("scale {workload} to {replicas}")))
}

impl Experiment for ScaleToZero {
    fn selection(&self, spec: &Spec) -> String {
        format!("{} as a whole", spec.target.workload)
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, _seed: u64) -> Result<Plan, PlanError> {
        let id = &spec.target.workload;
        let namespace = view.namespace.clone();
        let none = || PlanError::NoPod { workload: id.clone(), namespace: namespace.clone() };
        let found = view.workloads.iter().find(|w| w.id == *id && w.desired > 0).ok_or_else(none)?;
        let pods: Vec<String> = view.pods_of(id).filter(|p| !p.finished && !p.terminating).map(|p| p.name.clone()).collect();
        if pods.is_empty() {
            return Err(none());
        }
        Ok(Plan {
            target: FaultTarget::Workload { namespace: namespace.clone(), id: id.clone() },
            blast_radius: BlastRadius { namespace: namespace.clone(), pods, ..Default::default() },
            expected_effect: format!("{id} has no pod for {} s, then {} again", spec.hold_seconds, found.desired),
            recovery: Recovery::Scale { namespace: namespace.clone(), workload: id.clone(), replicas: found.desired },
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let Recovery::Scale { namespace, workload, replicas } = &plan.recovery else {
                return Err(ChaosError::Platform("scale-to-zero takes a workload".into()));
            };
            let lost = ctx.watch.view().pods_of(workload).map(|p| p.uid.clone()).collect();
            scale(ctx.client, namespace, workload, 0).await?;
            Ok(Effect { lost, at_least: Some((workload.clone(), *replicas)), detail: format!("{workload} scaled from {replicas} to 0"), graceful: true, ..Default::default() })
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            match ctx.watch.wait_until(&PodsGone(effect.lost.clone()), GONE_WITHIN, ctx.stop).await {
                Waited::Met => Ok(format!("no pod of {} is left", plan.target)),
                Waited::Stopped => Err(ChaosError::Stopped),
                Waited::TimedOut(last_seen) => Err(ChaosError::TimedOut { what: "the pods' end".into(), last_seen }),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, SERVICE, cluster};

    #[test]
    fn the_plan_keeps_the_replicas_to_go_back_to() {
        let spec = Spec { target: sample::target(SERVICE, &[]), ..sample::spec("scale-to-zero", SERVICE) };
        let plan = ScaleToZero.plan(&cluster(), &spec, 1).expect("plan");
        assert_eq!(plan.blast_radius.pods, ["order-a", "order-b", "order-c"]);
        assert_eq!(plan.recovery, Recovery::Scale { namespace: "shop".into(), workload: SERVICE.into(), replicas: 3 });
        let gone = Spec { target: sample::target("Deployment/none", &[]), ..sample::spec("scale-to-zero", SERVICE) };
        assert!(ScaleToZero.plan(&cluster(), &gone, 1).is_err());
    }
}

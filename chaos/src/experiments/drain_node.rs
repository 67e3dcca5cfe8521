//! # What it does
//! Cordons a worker node and evicts the platform's pods from it through the eviction API. A pod that its
//! PodDisruptionBudget protects (429) is tried again when the cluster changes. Each time the budget is used up, one more
//! eviction is asked for as a dry run: it must be answered 429. The node stays cordoned for `holdSeconds`.
//!
//! # Why it matters
//! This is how every node upgrade begins. A budget that is missing, or that selects nothing, shows only here; so does a
//! service that cannot run on the nodes that are left.
//!
//! # Blast radius
//! One worker node is cordoned. Only pods of the platform's namespace are evicted, by name and UID; pods of DaemonSets
//! and of other namespaces stay.
//!
//! # Recovery
//! The node is uncordoned. Read back: the node takes pods again and the namespace's workloads are full.

use crate::cluster_view::{ClusterView, PodView, pod_view};
use crate::cluster_watch::Waited;
use crate::error::ChaosError;
use crate::eviction::{Answer, Evictions, evict, probe_budget};
use crate::experiment::{Effect, Experiment, FaultContext, Plan};
use crate::journal::Recovery;
use crate::steady_state::{Condition, PodsGone};
use crate::targets::{self, BlastRadius, FaultTarget, PlanError};
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Experiment as Spec;
use k8s_openapi::api::core::v1::{Node, Pod};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;
use std::time::Duration;

/// The experiment.
pub struct DrainNode;

/// After the last eviction a pod may use its whole grace period.
const GONE_WITHIN: Duration = Duration::from_secs(120);

/// Cordons a node, or takes that back.
///
/// # Errors
/// When the API server refuses.
pub async fn cordon(nodes: &Api<Node>, node: &str, unschedulable: bool) -> Result<(), ChaosError> {
    let patch = json!({"spec": {"unschedulable": unschedulable}});
    let action = format!("{} node {node}", if unschedulable { "cordon" } else { "uncordon" });
    nodes.patch(node, &PatchParams::default(), &Patch::Merge(&patch)).await.map_err(ChaosError::kubernetes(action))?;
    Ok(())
}

/// The platform's pods on a node, as the API server lists them now.
async fn pods_on(pods: &Api<Pod>, namespace: &str, node: &str) -> Result<Vec<PodView>, ChaosError> {
    let list = ListParams::default().fields(&format!("spec.nodeName={node}"));
    let list = pods.list(&list).await.map_err(ChaosError::kubernetes(format!("list pods on node {node}")))?;
    let view = ClusterView { namespace: namespace.to_owned(), pods: list.items.iter().map(|p| pod_view(p, &[])).collect(), ..Default::default() };
    Ok(targets::evictable(&view, node).cloned().collect())
}

/// A pod that the same budget protects, ready, and not yet asked to go: the one to probe with.
fn candidate(view: &ClusterView, budget: &str, gone: &Effect) -> Option<PodView> {
    let budget = view.budgets.iter().find(|b| b.name == budget)?;
    let free = |p: &&PodView| p.ready && !p.terminating && !gone.lost.contains(&p.uid) && budget.pods.contains(&p.name);
    view.pods.iter().find(free).cloned()
}

/// One round over the pods that are left. Gives back those that must be tried again, each with the last answer.
async fn round(ctx: &FaultContext<'_>, pods: &Api<Pod>, left: Vec<PodView>, effect: &mut Effect, seen: &mut Evictions) -> Vec<(PodView, String)> {
    let budgets_api = Api::namespaced(ctx.client.clone(), &ctx.watch.view().namespace);
    let mut again = Vec::new();
    for pod in left {
        match evict(pods, &pod, false).await {
            Ok(Answer::Admitted) => {
                seen.admitted.push(pod.name.clone());
                effect.lost.insert(pod.uid.clone());
                let view = ctx.watch.view();
                for budget in view.budgets_of(&pod.name) {
                    if !seen.budgets.contains(&budget.name) {
                        seen.budgets.push(budget.name.clone());
                    }
                    let Some(other) = candidate(&view, &budget.name, effect) else { continue };
                    if let Err(error) = probe_budget(pods, &budgets_api, &budget.name, &other, seen).await {
                        ctx.recorder.note(format!("failed to probe the PodDisruptionBudget {}: {error}", budget.name));
                    }
                }
            }
            Ok(Answer::Refused(why)) => {
                seen.refused += 1;
                again.push((pod, why));
            }
            Ok(Answer::Gone) => {}
            Err(error) => again.push((pod, error.to_string())),
        }
    }
    again
}

impl Experiment for DrainNode {
    fn selection(&self, spec: &Spec) -> String {
        let spare = if spec.target.spare.is_empty() { "nothing".to_owned() } else { spec.target.spare.join(", ") };
        let target = targets::described(&spec.target);
        format!("one worker node that runs a ready pod of {target} and no pod of {spare}, drawn from the nodes sorted by name")
    }

    fn plan(&self, view: &ClusterView, spec: &Spec, seed: u64) -> Result<Plan, PlanError> {
        let node = targets::draw_node(view, &spec.target, seed, &spec.name)?.name.clone();
        let pods: Vec<_> = targets::evictable(view, &node).map(|p| p.name.clone()).collect();
        let namespace = view.namespace.clone();
        Ok(Plan {
            target: FaultTarget::Node { name: node.clone() },
            expected_effect: format!(
                "node {node} is cordoned; {} leave it one by one, as their budgets allow; evictions beyond them are answered 429",
                pods.join(", ")
            ),
            blast_radius: BlastRadius { namespace: namespace.clone(), pods, nodes: vec![node.clone()], bystanders: vec![] },
            recovery: Recovery::Uncordon { node, namespace },
        })
    }

    fn apply<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan) -> BoxFuture<'a, Result<Effect, ChaosError>> {
        Box::pin(async move {
            let FaultTarget::Node { name } = &plan.target else {
                return Err(ChaosError::Platform("drain-node takes a node".into()));
            };
            let namespace = &plan.blast_radius.namespace;
            cordon(&Api::all(ctx.client.clone()), name, true).await?;
            let pods: Api<Pod> = Api::namespaced(ctx.client.clone(), namespace);
            let deadline = tokio::time::Instant::now() + ctx.rto();
            let (mut effect, mut seen) = (Effect { graceful: true, ..Default::default() }, Evictions::default());
            let mut left: Vec<_> = pods_on(&pods, namespace, name).await?.into_iter().map(|p| (p, String::new())).collect();
            loop {
                left = round(ctx, &pods, left.into_iter().map(|(p, _)| p).collect(), &mut effect, &mut seen).await;
                if left.is_empty() || ctx.stop.is_cancelled() || tokio::time::Instant::now() >= deadline {
                    break;
                }
                // Budgets change when pods do; the second is for changes between the answer and this line.
                ctx.watch.next_change(Duration::from_secs(1)).await;
            }
            seen.left = left.into_iter().map(|(p, why)| format!("{}: {why}", p.name)).collect();
            ctx.recorder.sample("drain_pdb_429_seen", f64::from(seen.refused + seen.probes_refused));
            effect.detail = format!(
                "node {name} cordoned; evicted {}; {} evictions and {} probes answered 429",
                seen.admitted.join(", "),
                seen.refused,
                seen.probes_refused
            );
            effect.evictions = Some(seen);
            Ok(effect)
        })
    }

    fn prove<'a>(&'a self, ctx: &'a FaultContext<'a>, plan: &'a Plan, effect: &'a Effect) -> BoxFuture<'a, Result<String, ChaosError>> {
        Box::pin(async move {
            let FaultTarget::Node { name } = &plan.target else {
                return Err(ChaosError::Platform("drain-node takes a node".into()));
            };
            if effect.lost.is_empty() {
                let last_seen = effect.evictions.as_ref().map(|e| e.left.join("; ")).unwrap_or_default();
                return Err(ChaosError::TimedOut { what: "one eviction to be admitted".into(), last_seen });
            }
            let gone = PodsGone(effect.lost.clone());
            let drained = move |view: &ClusterView| {
                let cordoned = view.node(name).is_some_and(|n| n.unschedulable);
                if cordoned { gone.check(view) } else { Err(format!("node {name} is not cordoned")) }
            };
            match ctx.watch.wait_until(&drained, GONE_WITHIN, ctx.stop).await {
                Waited::Met => Ok(format!("node {name} is cordoned and {} evicted pods are gone from it", effect.lost.len())),
                Waited::Stopped => Err(ChaosError::Stopped),
                Waited::TimedOut(last_seen) => Err(ChaosError::TimedOut { what: format!("node {name} to be drained"), last_seen }),
            }
        })
    }
}

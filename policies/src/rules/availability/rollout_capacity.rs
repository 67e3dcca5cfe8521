//! During a rollout some pods are ready.
//!
//! ## What it does
//! Reports rolling updates whose `maxUnavailable` is all of the replicas, at the HPA's minimum where there is one, and
//! those of DaemonSets that take every node at once. Shares are rounded as Kubernetes does: down for a Deployment, up
//! for a StatefulSet. Where both `maxSurge` and `maxUnavailable` of a Deployment come to zero, Kubernetes takes one
//! pod, which may be the only one.
//!
//! ## Why it matters
//! Zero ready pods is an outage at every release, and nothing else warns of it: the disruption budget does not hold
//! rollouts.
//!
//! ## How to mend it
//! Use `maxUnavailable: 0` with `maxSurge: 1`, or a share that leaves pods at the smallest scale.
//!
//! ## Example
//! ```yaml
//! kind: Deployment
//! spec: {strategy: {rollingUpdate: {maxUnavailable: 2}}} # reported when its HPA scales down to 2
//! ```

use crate::share::share;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL017", name: "rollout-capacity", parameters: &[], source: include_str!("rollout_capacity.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let root = Field::root(&workload.object.root);
        match workload.object.kind.as_str() {
            "Deployment" => {
                let Some(replicas) = context.index.fewest_replicas(workload).filter(|replicas| *replicas > 0) else { continue };
                let Some(update) = root.at("spec.strategy.rollingUpdate") else { continue };
                let surge = update.get("maxSurge").map_or(Some(1), |field| share(&field, replicas, true));
                let stated = update.get("maxUnavailable");
                let taken = stated.as_ref().map_or(Some(replicas / 4), |field| share(field, replicas, false));
                let (Some(surge), Some(taken)) = (surge, taken) else { continue };
                let taken = if surge == 0 && taken == 0 { 1 } else { taken };
                if taken >= replicas {
                    let field = stated.or_else(|| update.get("maxSurge")).unwrap_or(update);
                    let message = format!("a rollout may take {taken} of {replicas} pod(s) at once: none stays ready");
                    context.wrong(workload.object, &field, message);
                }
            }
            "StatefulSet" => {
                let Some(replicas) = context.index.fewest_replicas(workload).filter(|replicas| *replicas > 1) else { continue };
                let Some(field) = root.at("spec.updateStrategy.rollingUpdate.maxUnavailable") else { continue };
                if let Some(taken) = share(&field, replicas, true).filter(|taken| *taken >= replicas) {
                    context.wrong(workload.object, &field, format!("a rollout may take {taken} of {replicas} pods at once: none stays ready"));
                }
            }
            "DaemonSet" => {
                let Some(field) = root.at("spec.updateStrategy.rollingUpdate.maxUnavailable") else { continue };
                if share(&field, 100, true).is_some_and(|share| field.str().is_some() && share >= 100) {
                    context.wrong(workload.object, &field, format!("a rollout takes the pods of every node at once: {}", field.node));
                }
            }
            _ => {}
        }
    }
}

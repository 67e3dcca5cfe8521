//! A new version replaces the old one pod by pod.
//!
//! ## What it does
//! Reports Deployments with several pods and strategy `Recreate`, and StatefulSets and DaemonSets with `OnDelete`.
//! `Recreate` with one pod is left out: it is right for a volume that one pod at a time can mount.
//!
//! ## Why it matters
//! `Recreate` stops all pods before it starts the first new one: every rollout is an outage. With `OnDelete` a rollout
//! changes nothing until somebody deletes pods by hand.
//!
//! ## How to mend it
//! Use `RollingUpdate`, the default.
//!
//! ## Example
//! ```yaml
//! kind: Deployment
//! spec: {replicas: 3, strategy: {type: Recreate}} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL016", name: "rolling-update-strategy", parameters: &[], source: include_str!("rolling_update_strategy.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let root = Field::root(&workload.object.root);
        match workload.object.kind.as_str() {
            "Deployment" => {
                let several = context.index.fewest_replicas(workload).filter(|replicas| *replicas > 1);
                let field = root.at("spec.strategy.type").filter(|field| field.str() == Some("Recreate"));
                if let (Some(replicas), Some(field)) = (several, field) {
                    context.wrong(workload.object, &field, format!("Recreate stops all {replicas} pods at every rollout"));
                }
            }
            "StatefulSet" | "DaemonSet" => {
                if let Some(field) = root.at("spec.updateStrategy.type").filter(|field| field.str() == Some("OnDelete")) {
                    context.wrong(workload.object, &field, "OnDelete: a rollout waits until somebody deletes the pods");
                }
            }
            _ => {}
        }
    }
}

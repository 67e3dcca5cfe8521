//! Every Deployment runs more than one pod.
//!
//! ## What it does
//! Reports Deployments with fewer replicas than `minimum` (2). Where an HPA scales one, the HPA's `minReplicas`
//! counts, whatever the Deployment says. Zero is a choice and is left out; stores in StatefulSets are left out too.
//!
//! ## Why it matters
//! With one pod every rollout, drain and crash is an outage.
//!
//! ## How to mend it
//! Raise `replicas`, or the HPA's `minReplicas`.
//!
//! ## Example
//! ```yaml
//! kind: Deployment
//! spec: {replicas: 1} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL001", name: "min-replicas", parameters: &[("minimum", "2")], source: include_str!("min_replicas.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let minimum = context.number("minimum");
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "Deployment") {
        let scaler = context.index.scaler(workload);
        let (object, path) = scaler.map_or((workload.object, "spec.replicas"), |scaler| (scaler, "spec.minReplicas"));
        let root = Field::root(&object.root);
        let field = root.at(path);
        let replicas = field.as_ref().map_or(Some(1), |field| field.node.as_i64());
        if replicas.is_some_and(|replicas| replicas > 0 && replicas < minimum) {
            let message = format!("{} runs with {} pod(s), expected at least {minimum}", workload.object.name, replicas.unwrap_or(1));
            match (field, root.get("spec")) {
                (Some(field), _) => context.wrong(object, &field, message),
                (None, Some(spec)) => context.missing(object, &spec, path.trim_start_matches("spec."), message),
                (None, None) => context.whole(object, message),
            }
        }
    }
}

//! A store with one member is one on purpose.
//!
//! ## What it does
//! Reports StatefulSets with a volume claim and one replica that do not say so: the annotation
//! `gauntlet/single-replica` with the reason is missing or empty.
//!
//! ## Why it matters
//! The store is down during every drain, crash and upgrade of its node, and so is all that needs it. That may be the
//! right choice, but it is one that somebody has to make and to write down.
//!
//! ## How to mend it
//! Run a replicated store, or write the reason into the annotation.
//!
//! ## Example
//! ```yaml
//! kind: StatefulSet
//! metadata: {name: db, annotations: {gauntlet/single-replica: "a cache: read again in a minute"}} # kept
//! spec: {replicas: 1, volumeClaimTemplates: [{metadata: {name: data}}]}
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "AVL026",
    name: "single-replica-store-declared",
    parameters: &[("annotation", "\"gauntlet/single-replica\"")],
    source: include_str!("single_replica_store_declared.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let key = context.parameter("annotation");
    let key = key.as_str().unwrap_or_default();
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "StatefulSet") {
        let root = Field::root(&workload.object.root);
        let keeps = !root.items_at("spec.volumeClaimTemplates").is_empty();
        if !keeps || context.index.fewest_replicas(workload) != Some(1) {
            continue;
        }
        let reason = root.at("metadata.annotations").and_then(|notes| notes.get(key));
        match reason {
            Some(field) if field.str().is_none_or(|text| text.trim().is_empty()) => {
                context.wrong(workload.object, &field, format!("{key} gives no reason"));
            }
            Some(_) => {}
            None => context.whole(workload.object, format!("a store with one replica, and no annotation {key} says why")),
        }
    }
}

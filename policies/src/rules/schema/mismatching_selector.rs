//! A workload selects the pods that it makes.
//!
//! ## What it does
//! Reports Deployments, StatefulSets, DaemonSets and ReplicaSets whose `spec.selector` is missing, empty or does
//! not fit the labels of their own pod template.
//!
//! ## Why it matters
//! The API server refuses such an object, at deploy time.
//!
//! ## How to mend it
//! Make the selector a part of the template's labels.
//!
//! ## Example
//! ```yaml
//! selector: {matchLabels: {app: web}}
//! template: {metadata: {labels: {app: wbe}}} # reported
//! ```

use crate::rule::{Context, Rule};
use crate::selector::Selector;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH001", name: "mismatching-selector", parameters: &[], source: include_str!("mismatching_selector.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        if !matches!(workload.object.kind.as_str(), "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet") {
            continue;
        }
        match Field::root(&workload.object.root).at("spec.selector") {
            None => context.whole(workload.object, "spec.selector is missing"),
            Some(field) => {
                let selector = Selector::from_label_selector(&field);
                if selector.is_empty() {
                    context.wrong(workload.object, &field, "an empty selector is not allowed here");
                } else if !selector.matches(&workload.labels) {
                    context.wrong(workload.object, &field, "the selector does not fit the labels of the pod template");
                }
            }
        }
    }
}

//! Every spread constraint counts the pods that it is part of.
//!
//! ## What it does
//! Reports topology spread constraints whose `labelSelector` does not select the pod's own labels, or is missing: a
//! missing one selects nothing. `matchLabelKeys` are taken from the pod itself and always fit.
//!
//! ## Why it matters
//! The constraint is accepted and has no effect: the scheduler counts other pods, finds no skew, and puts all of these
//! on one node. One that fits beside it hides that from a glance.
//!
//! ## How to mend it
//! Make the selector a part of the pod template's labels.
//!
//! ## Example
//! ```yaml
//! topologySpreadConstraints:
//!   - {topologyKey: topology.kubernetes.io/zone, maxSkew: 1, whenUnsatisfiable: DoNotSchedule} # reported: no labelSelector
//! ```

use crate::rule::{Context, Rule};
use crate::selector::{Selector, is_set_by_controllers};

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL011", name: "spread-selector-mismatch", parameters: &[], source: include_str!("spread_selector_mismatch.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for constraint in workload.pod.items_at("topologySpreadConstraints") {
            let Some(field) = constraint.get("labelSelector") else {
                context.missing(workload.object, &constraint, "labelSelector", "without a labelSelector it counts no pods");
                continue;
            };
            let selector = Selector::from_label_selector(&field);
            // pod-template-hash and the like are on the pod, though not in its template.
            let known = |key: &str| !key.contains('/') && is_set_by_controllers(key);
            if !selector.could_match(&workload.labels, known) {
                let message = format!("it does not select the pod's own labels: {}", field.node);
                context.wrong(workload.object, &field, message);
            }
        }
    }
}

//! Every workload says how important it is.
//!
//! ## What it does
//! Reports long-running workloads without a `priorityClassName`, unless a PriorityClass of the manifests is the global
//! default.
//!
//! ## Why it matters
//! When nodes are short, all pods without a class are equal: a report keeps its place while the shop waits.
//!
//! ## How to mend it
//! Make a PriorityClass for what must run, and name it in the pod template.
//!
//! ## Example
//! ```yaml
//! spec: {containers: [{name: web, image: web:1.0}]} # reported: no priorityClassName
//! ```
//!
//! ## Off by default
//! A cluster's administrators may set priorities by namespace or by admission.

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "AVL020", name: "priority-class", parameters: &[], source: include_str!("priority_class.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    if context.index.of_kind("PriorityClass").iter().any(|class| Field::root(&class.root).bool_at("globalDefault") == Some(true)) {
        return;
    }
    for workload in context.index.workloads().iter().filter(|workload| workload.is_long_running()) {
        if workload.pod.str_at("priorityClassName").is_none_or(str::is_empty) {
            context.missing(workload.object, &workload.pod, "priorityClassName", "its pods have no priority");
        }
    }
}

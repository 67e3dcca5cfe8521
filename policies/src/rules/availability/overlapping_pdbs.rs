//! Every pod has at most one disruption budget.
//!
//! ## What it does
//! Reports PodDisruptionBudgets that select pods of a workload that another budget of the namespace selects too.
//!
//! ## Why it matters
//! The eviction API refuses to evict a pod with two budgets: every drain of its node fails, whatever the budgets allow.
//!
//! ## How to mend it
//! Make the selectors disjoint, or keep one budget.
//!
//! ## Example
//! ```yaml
//! {kind: PodDisruptionBudget, metadata: {name: web}, spec: {selector: {matchLabels: {app: web}}}}
//! {kind: PodDisruptionBudget, metadata: {name: all}, spec: {selector: {}}} # reported: selects app=web too
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL009", name: "overlapping-pdbs", parameters: &[], source: include_str!("overlapping_pdbs.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let mut seen = HashSet::new();
    for workload in context.index.workloads() {
        let [first, others @ ..] = context.index.budgets(workload) else { continue };
        for other in others.iter().filter(|other| seen.insert(std::ptr::from_ref(**other))) {
            if let Some(field) = Field::root(&other.root).at("spec.selector") {
                let message = format!("it selects the pods of {}, as budget {} does", workload.object.display_name(), first.name);
                context.wrong(other, &field, message);
            }
        }
    }
}

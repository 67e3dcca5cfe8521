//! A pod that is broken does not hold up a drain.
//!
//! ## What it does
//! Reports PodDisruptionBudgets of Deployments without `unhealthyPodEvictionPolicy: AlwaysAllow`. Budgets that select
//! a StatefulSet are left out: there the default protects the data of a member that is not ready yet.
//!
//! ## Why it matters
//! By default a running pod that is not ready may only go when enough others are healthy. While an application
//! crashes, no node that it runs on can be drained.
//!
//! ## How to mend it
//! Set `unhealthyPodEvictionPolicy: AlwaysAllow`, as Kubernetes recommends for applications.
//!
//! ## Automatic fix
//! Writes `unhealthyPodEvictionPolicy: AlwaysAllow` where it is unset (from Kubernetes 1.27 on).
//!
//! ## Example
//! ```yaml
//! kind: PodDisruptionBudget
//! spec: {maxUnavailable: 1, selector: {matchLabels: {app: web}}} # reported
//! ```

use crate::fix::set;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule = Rule {
    id: "AVL010",
    name: "pdb-unhealthy-eviction-policy",
    parameters: &[],
    source: include_str!("pdb_unhealthy_eviction_policy.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    // Those of StatefulSets count as seen.
    let stores = context.index.workloads().iter().filter(|workload| workload.object.kind == "StatefulSet");
    let mut seen: HashSet<*const Object> = stores.flat_map(|store| context.index.budgets(store)).map(|budget| std::ptr::from_ref(*budget)).collect();
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "Deployment") {
        for budget in context.index.budgets(workload) {
            if !seen.insert(std::ptr::from_ref(*budget)) {
                continue;
            }
            let root = Field::root(&budget.root);
            match (root.at("spec.unhealthyPodEvictionPolicy"), root.get("spec")) {
                (Some(field), _) if field.str() != Some("AlwaysAllow") => {
                    context.wrong(budget, &field, format!("broken pods hold up a drain: {} is not AlwaysAllow", field.node));
                }
                (None, Some(spec)) => {
                    let message = "broken pods hold up a drain: unset is IfHealthyBudget, expected AlwaysAllow";
                    context.missing(budget, &spec, "unhealthyPodEvictionPolicy", message);
                    // Older clusters drop the field without a word.
                    if context.kubernetes.is_at_least(27) {
                        let edit = set(&spec, &["unhealthyPodEvictionPolicy"], "AlwaysAllow");
                        context.fix("Pods that are ready are protected as before; only broken ones may go.", [edit]);
                    }
                }
                _ => {}
            }
        }
    }
}

//! Every workload with several pods has a disruption budget.
//!
//! ## What it does
//! Reports Deployments and StatefulSets that run at least two pods and that no PodDisruptionBudget of their
//! namespace selects. Labels are those of the pod template, and all requirements of a selector must hold.
//!
//! ## Why it matters
//! Without a budget a node drain may take all pods at once.
//!
//! ## How to mend it
//! Add a PodDisruptionBudget whose selector fits the pod template's labels.
//!
//! ## Example
//! ```yaml
//! kind: PodDisruptionBudget
//! spec: {minAvailable: 2, selector: {matchLabels: {app: web, tier: front}}} # does not select pods with app=web alone
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL002", name: "missing-pdb", parameters: &[], source: include_str!("missing_pdb.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let kind = matches!(workload.object.kind.as_str(), "Deployment" | "StatefulSet");
        let several = context.index.fewest_replicas(workload).is_some_and(|replicas| replicas > 1);
        if kind && several && context.index.budgets(workload).is_empty() {
            context.whole(workload.object, "no PodDisruptionBudget selects its pods");
        }
    }
}

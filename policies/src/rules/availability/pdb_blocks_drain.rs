//! Every disruption budget lets one pod go.
//!
//! ## What it does
//! Reports PodDisruptionBudgets that never allow a disruption: `maxUnavailable` of zero, or a `minAvailable` that
//! is not below the replicas of a selected workload without an HPA. Shares are rounded up, as Kubernetes does.
//!
//! ## Why it matters
//! A drain of a node then waits for ever: nodes cannot be upgraded, and in the end somebody deletes the budget.
//!
//! ## How to mend it
//! Lower `minAvailable`, raise the replicas, or use `maxUnavailable: 1`.
//!
//! ## Example
//! ```yaml
//! kind: PodDisruptionBudget
//! spec: {minAvailable: 1} # reported when the workload has one replica
//! ```

use crate::share::share;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL003", name: "pdb-blocks-drain", parameters: &[], source: include_str!("pdb_blocks_drain.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let Some(replicas) = context.index.fewest_replicas(workload).filter(|replicas| *replicas > 0) else { continue };
        for budget in context.index.budgets(workload) {
            let spec = Field::root(&budget.root);
            if let Some(field) = spec.at("spec.maxUnavailable").filter(|field| share(field, replicas, true) == Some(0)) {
                context.wrong(budget, &field, "maxUnavailable is zero: no pod may ever go");
            }
            // With an HPA its minimum decides: see pdb-vs-hpa-min.
            let field = spec.at("spec.minAvailable").filter(|_| context.index.scaler(workload).is_none());
            if let Some((least, field)) = field.and_then(|field| Some((share(&field, replicas, true)?, field)))
                && least >= replicas
            {
                let message = format!("{least} of the {replicas} pods of {} must stay: none may go", workload.object.name);
                context.wrong(budget, &field, message);
            }
        }
    }
}

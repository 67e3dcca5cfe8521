//! At the HPA's minimum a disruption is still allowed.
//!
//! ## What it does
//! Reports PodDisruptionBudgets whose `minAvailable` is not below the `minReplicas` of the HPA that scales a
//! selected workload, whatever the workload's own `replicas` say.
//!
//! ## Why it matters
//! In quiet hours the HPA scales down to its minimum, and then no node can be drained: equal is already too much.
//!
//! ## How to mend it
//! Keep `minAvailable` at least one below `minReplicas`, or use `maxUnavailable: 1`.
//!
//! ## Example
//! ```yaml
//! kind: HorizontalPodAutoscaler
//! spec: {minReplicas: 2} # with minAvailable: 2 the budget is reported
//! ```

use crate::share::share;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL004", name: "pdb-vs-hpa-min", parameters: &[], source: include_str!("pdb_vs_hpa_min.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let Some(scaler) = context.index.scaler(workload) else { continue };
        let minimum = Field::root(&scaler.root).i64_at("spec.minReplicas").unwrap_or(1);
        for budget in context.index.budgets(workload) {
            let Some(field) = Field::root(&budget.root).at("spec.minAvailable") else { continue };
            if let Some(least) = share(&field, minimum, true).filter(|least| *least >= minimum) {
                let message = format!("{least} pods must stay, but HPA {} scales {} down to {minimum}", scaler.name, workload.object.name);
                context.wrong(budget, &field, message);
            }
        }
    }
}

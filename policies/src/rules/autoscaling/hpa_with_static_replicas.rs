//! Only the HPA sets the replicas of what it scales.
//!
//! ## What it does
//! Reports workloads that an HPA scales and that set `spec.replicas` as well.
//!
//! ## Why it matters
//! Every deploy sets the number back: in the middle of a peak it takes away the pods that the HPA has added.
//!
//! ## How to mend it
//! Remove `spec.replicas` from the workload.
//!
//! ## Example
//! ```yaml
//! kind: Deployment
//! spec: {replicas: 3} # reported when an HPA scales it
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA003", name: "hpa-with-static-replicas", parameters: &[], source: include_str!("hpa_with_static_replicas.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let Some(scaler) = context.index.scaler(workload) else { continue };
        if let Some(field) = Field::root(&workload.object.root).at("spec.replicas") {
            context.wrong(workload.object, &field, format!("replicas are set here and by HPA {}", scaler.name));
        }
    }
}

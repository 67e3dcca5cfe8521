//! An HPA has room to scale.
//!
//! ## What it does
//! Reports HPAs whose `maxReplicas` is not above `minReplicas` (1 when unset).
//!
//! ## Why it matters
//! Equal bounds scale nothing; a maximum below the minimum is refused by the API server.
//!
//! ## How to mend it
//! Raise `maxReplicas`, or remove the HPA and set `replicas`.
//!
//! ## Example
//! ```yaml
//! spec: {minReplicas: 5, maxReplicas: 5} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA002", name: "hpa-min-lt-max", parameters: &[], source: include_str!("hpa_min_lt_max.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for scaler in context.index.of_kind("HorizontalPodAutoscaler").to_vec() {
        let root = Field::root(&scaler.root);
        let minimum = root.i64_at("spec.minReplicas").unwrap_or(1);
        let Some(field) = root.at("spec.maxReplicas") else { continue };
        if let Some(maximum) = field.node.as_i64().filter(|maximum| *maximum <= minimum) {
            context.wrong(scaler, &field, format!("it scales from {minimum} to {maximum}: there is no room"));
        }
    }
}

//! Every HPA keeps more than one pod.
//!
//! ## What it does
//! Reports HPAs whose `minReplicas` is below `minimum` (2); unset means 1. Zero is a choice and is left out.
//!
//! ## Why it matters
//! In quiet hours the HPA scales down to its minimum, and then one crash or one drain is an outage.
//!
//! ## How to mend it
//! Raise `minReplicas`.
//!
//! ## Example
//! ```yaml
//! kind: HorizontalPodAutoscaler
//! spec: {maxReplicas: 10} # reported: minReplicas is 1
//! ```
//!
//! ## Off by default
//! `min-replicas` asks the same of every Deployment with an HPA; this rule is for HPAs of other kinds too.

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA005", name: "hpa-min-replicas", parameters: &[("minimum", "2")], source: include_str!("hpa_min_replicas.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let minimum = context.number("minimum");
    for scaler in context.index.of_kind("HorizontalPodAutoscaler").to_vec() {
        let Some(spec) = Field::root(&scaler.root).get("spec") else { continue };
        match spec.get("minReplicas") {
            None if minimum > 1 => context.missing(scaler, &spec, "minReplicas", format!("unset is 1, expected at least {minimum}")),
            Some(field) if field.node.as_i64().is_some_and(|replicas| replicas > 0 && replicas < minimum) => {
                context.wrong(scaler, &field, format!("it scales down to {}, expected at least {minimum}", field.node));
            }
            _ => {}
        }
    }
}

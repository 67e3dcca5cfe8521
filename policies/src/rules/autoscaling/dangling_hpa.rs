//! Every HPA scales something that exists.
//!
//! ## What it does
//! Reports HPAs whose target is not in the manifests of their namespace.
//!
//! ## Why it matters
//! An HPA without a target does nothing, silently.
//!
//! ## How to mend it
//! Mend kind and name in `scaleTargetRef`, or remove the HPA.
//!
//! ## Example
//! ```yaml
//! scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: wbe} # reported
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA004", name: "dangling-hpa", parameters: &[], source: include_str!("dangling_hpa.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for scaler in context.index.of_kind("HorizontalPodAutoscaler").to_vec() {
        let Some(target) = Field::root(&scaler.root).at("spec.scaleTargetRef") else { continue };
        let Some(name) = target.get("name") else { continue };
        let (kind, text) = (target.str_at("kind").unwrap_or_default(), name.str().unwrap_or_default());
        let namespace = namespace_of(scaler);
        if context.index.find(kind, namespace, text).is_none() {
            context.wrong(scaler, &name, format!("there is no {kind} {text} in namespace {namespace}"));
        }
    }
}

//! Every workload has at most one autoscaler of its replicas.
//!
//! ## What it does
//! Reports HPAs, and ScaledObjects of KEDA, whose target is another one's target in the same namespace.
//!
//! ## Why it matters
//! Each of them writes its own number of replicas: pods come and go every few seconds.
//!
//! ## How to mend it
//! Put all metrics into one HPA: it takes the highest of their numbers.
//!
//! ## Example
//! ```yaml
//! {kind: HorizontalPodAutoscaler, metadata: {name: cpu}, spec: {scaleTargetRef: {kind: Deployment, name: web}}}
//! {kind: HorizontalPodAutoscaler, metadata: {name: memory}, spec: {scaleTargetRef: {kind: Deployment, name: web}}} # reported
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA006", name: "duplicate-hpa", parameters: &[], source: include_str!("duplicate_hpa.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let mut seen: HashMap<_, &Object> = HashMap::new();
    let hpas = context.index.of_kind("HorizontalPodAutoscaler").iter();
    let scalers: Vec<&Object> = hpas.chain(context.index.of_kind("ScaledObject")).copied().collect();
    for scaler in scalers {
        let Some(target) = Field::root(&scaler.root).at("spec.scaleTargetRef") else { continue };
        let Some(name) = target.get("name") else { continue };
        // KEDA's default kind is Deployment; for an HPA the kind must be stated.
        let (kind, text) = (target.str_at("kind").unwrap_or("Deployment"), name.str().unwrap_or_default());
        match seen.get(&(namespace_of(scaler), kind, text)) {
            Some(first) => context.wrong(scaler, &name, format!("{kind} {text} is scaled by {} {} too", first.kind, first.name)),
            None => drop(seen.insert((namespace_of(scaler), kind, text), scaler)),
        }
    }
}

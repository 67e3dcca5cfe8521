//! No workload is scaled by the same resource in both ways.
//!
//! ## What it does
//! Reports VerticalPodAutoscalers that change requests of CPU or memory of a workload that an HPA scales by its use of
//! the same resource. A VPA with `updateMode: "Off"` only recommends; `controlledResources` and containers with mode
//! Off are honoured; HPAs by other metrics are no conflict.
//!
//! ## Why it matters
//! The HPA measures use as a share of the requests that the VPA changes: each answers the other, and replicas and
//! requests swing.
//!
//! ## How to mend it
//! Take one resource from the VPA by `controlledResources`, set its `updateMode` to "Off", or scale by another metric.
//!
//! ## Example
//! ```yaml
//! kind: VerticalPodAutoscaler
//! spec: {targetRef: {kind: Deployment, name: web}} # reported when an HPA scales web by cpu
//! ```

use crate::index::{Index, namespace_of};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA007", name: "hpa-vpa-conflict", parameters: &[], source: include_str!("hpa_vpa_conflict.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for vertical in context.index.of_kind("VerticalPodAutoscaler").to_vec() {
        let root = Field::root(&vertical.root);
        let Some(target) = root.at("spec.targetRef") else { continue };
        if root.str_at("spec.updatePolicy.updateMode") == Some("Off") {
            continue;
        }
        let Some((scaler, resources)) = scaled_by(context.index, vertical, &target) else { continue };
        let both: Vec<&str> = resources.into_iter().filter(|resource| changes(&root, resource)).collect();
        if !both.is_empty() {
            let (resources, name) = (both.join(" and "), target.str_at("name").unwrap_or_default());
            let message = format!("it changes requests of {resources}, by which HPA {} scales {name}", scaler.name);
            context.wrong(vertical, &target, message);
        }
    }
}

fn scaled_by<'a>(index: &Index<'a>, vertical: &Object, target: &Field<'_>) -> Option<(&'a Object, Vec<&'a str>)> {
    let workload = index.workload(index.find(target.str_at("kind")?, namespace_of(vertical), target.str_at("name")?)?)?;
    let scaler = index.scaler(workload)?;
    let root = Field::root(&scaler.root);
    let metrics = root.items_at("spec.metrics").into_iter();
    // By share only: an average value in cores or bytes does not depend on requests.
    let used = metrics.filter_map(|metric| {
        let source = metric.get("resource").or_else(|| metric.get("containerResource"))?;
        source.at("target.averageUtilization")?;
        source.str_at("name")
    });
    let mut resources: Vec<&str> = used.collect();
    if root.at("spec.targetCPUUtilizationPercentage").is_some() || root.at("spec.metrics").is_none() {
        // Without metrics an HPA scales by 80 % of the requested CPU.
        resources.push("cpu");
    }
    Some((scaler, resources))
}

/// True: a VPA changes a resource of at least one container.
fn changes(vertical: &Field<'_>, resource: &str) -> bool {
    let policies = vertical.items_at("spec.resourcePolicy.containerPolicies");
    let controls = |policy: &Field<'_>| {
        let listed = policy.items_at("controlledResources");
        policy.str_at("mode") != Some("Off") && (listed.is_empty() || listed.iter().any(|known| known.str() == Some(resource)))
    };
    let default = policies.iter().find(|policy| policy.str_at("containerName") == Some("*"));
    match default {
        Some(_) => policies.iter().any(controls),
        // Containers that no policy names are changed in all resources, but those may be all that there are.
        None => policies.is_empty() || policies.iter().any(controls),
    }
}

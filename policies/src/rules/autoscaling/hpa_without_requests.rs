//! What an HPA measures against is requested.
//!
//! ## What it does
//! Reports containers without a request for a resource whose utilization an HPA targets. A limit counts as the
//! request, as in the API server; a LimitRange with defaults in the namespace does too.
//!
//! ## Why it matters
//! Utilization is a share of the request. Without it the HPA says FailedGetResourceMetric and never scales.
//!
//! ## How to mend it
//! Set `resources.requests` for the resource in every container of the pod, sidecars included.
//!
//! ## Example
//! ```yaml
//! metrics:
//!   - {type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 70}}}
//! # reported at containers without a request for cpu
//! ```

use crate::index::{Index, namespace_of};
use crate::rule::{Context, Rule};
use crate::workload::Container;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "HPA001", name: "hpa-without-requests", parameters: &[], source: include_str!("hpa_without_requests.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let Some(scaler) = context.index.scaler(workload) else { continue };
        for metric in Field::root(&scaler.root).items_at("spec.metrics") {
            let (source, only) = match metric.str_at("type") {
                Some("Resource") => (metric.get("resource"), None),
                Some("ContainerResource") => (metric.get("containerResource"), metric.str_at("containerResource.container")),
                _ => continue,
            };
            let Some(source) = source.filter(|source| source.at("target.averageUtilization").is_some()) else { continue };
            let resource = source.str_at("name").unwrap_or_default();
            if has_default(context.index, workload.namespace, resource) {
                continue;
            }
            let counted = |container: &&Container<'_>| only.is_none_or(|name| name == container.name);
            for container in workload.running_containers().iter().filter(counted) {
                if container.request(resource).is_none() {
                    let message = format!("HPA {} scales by the share of requested {resource}, but container {} requests none", scaler.name, container.name);
                    context.missing(workload.object, &container.field, &format!("resources.requests.{resource}"), message);
                }
            }
        }
    }
}

/// True: a LimitRange of the namespace gives containers a request.
fn has_default(index: &Index<'_>, namespace: &str, resource: &str) -> bool {
    let ranges = index.of_kind("LimitRange").iter().filter(|range| namespace_of(range) == namespace);
    ranges.flat_map(|range| Field::root(&range.root).items_at("spec.limits")).any(|limit| {
        let gives = |key: &str| limit.get(key).is_some_and(|defaults| defaults.get(resource).is_some());
        limit.str_at("type") == Some("Container") && (gives("defaultRequest") || gives("default"))
    })
}

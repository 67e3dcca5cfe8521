//! Pods give what the quota of their namespace counts.
//!
//! ## What it does
//! Reports containers without a request or limit for CPU or memory that a ResourceQuota of their namespace counts,
//! where no LimitRange gives one. Quotas with scopes are left out.
//!
//! ## Why it matters
//! The API server refuses pods that do not say what the quota must count: the Deployment is there, its pods never are.
//!
//! ## How to mend it
//! Set the request or the limit, or add a LimitRange with defaults to the namespace.
//!
//! ## Example
//! ```yaml
//! kind: ResourceQuota
//! spec: {hard: {limits.memory: 8Gi}} # containers without limits.memory are reported
//! ```

use crate::demand::{Kind, Ranges};
use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule = Rule {
    id: "RES012",
    name: "quota-without-requests",
    parameters: &[],
    source: include_str!("quota_without_requests.rs"),
    check,
};

/// What a quota may count, and what a container must say for it.
const COUNTED: [(&str, Kind, &str); 6] = [
    ("cpu", Kind::Requests, "cpu"),
    ("memory", Kind::Requests, "memory"),
    ("requests.cpu", Kind::Requests, "cpu"),
    ("requests.memory", Kind::Requests, "memory"),
    ("limits.cpu", Kind::Limits, "cpu"),
    ("limits.memory", Kind::Limits, "memory"),
];

fn check(context: &mut Context<'_, '_>) {
    let ranges = Ranges::new(context.index);
    let mut quotas: HashMap<&str, Vec<&Object>> = HashMap::new();
    for quota in context.index.of_kinds(&["ResourceQuota"]) {
        let root = Field::root(&quota.root);
        if root.items_at("spec.scopes").is_empty() && root.at("spec.scopeSelector").is_none() {
            quotas.entry(namespace_of(quota)).or_default().push(quota);
        }
    }
    for workload in context.index.workloads() {
        for quota in quotas.get(workload.namespace).into_iter().flatten() {
            let Some(hard) = Field::root(&quota.root).at("spec.hard") else { continue };
            for (_, kind, resource) in COUNTED.iter().filter(|(key, ..)| hard.get(key).is_some()) {
                for container in workload.containers() {
                    if !ranges.says(workload, container, *kind, resource) {
                        let (name, key) = (container.name, kind.key());
                        let message = format!("container {name} has no {key} for {resource}, which quota {} counts", quota.name);
                        context.missing(workload.object, &container.field, &format!("resources.{key}.{resource}"), message);
                    }
                }
            }
        }
    }
}

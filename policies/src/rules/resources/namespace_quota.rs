//! Every namespace has a quota.
//!
//! ## What it does
//! Reports namespaces that workloads of the manifests live in and that have no ResourceQuota there.
//!
//! ## Why it matters
//! One workload with a mistake in its replicas takes the whole cluster; a quota keeps it in its namespace.
//!
//! ## How to mend it
//! Add a ResourceQuota with `requests.cpu`, `requests.memory` and `pods`.
//!
//! ## Example
//! ```yaml
//! kind: Namespace
//! metadata: {name: shop} # reported when no ResourceQuota has namespace: shop
//! ```
//!
//! ## Off by default
//! A namespace that has its cluster for itself needs none.

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES008", name: "namespace-quota", parameters: &[], source: include_str!("namespace_quota.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let covered: HashSet<&str> = context.index.of_kinds(&["ResourceQuota"]).map(namespace_of).collect();
    let used: HashSet<&str> = context.index.workloads().iter().map(|workload| workload.namespace).collect();
    for namespace in context.index.of_kinds(&["Namespace"]) {
        let name = namespace.name.as_str();
        if used.contains(name) && !covered.contains(name) {
            context.whole(namespace, format!("namespace {name} has no ResourceQuota"));
        }
    }
}

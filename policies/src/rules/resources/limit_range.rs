//! Every namespace has defaults for its containers.
//!
//! ## What it does
//! Reports namespaces that workloads of the manifests live in and that have no LimitRange there.
//!
//! ## Why it matters
//! A pod that somebody starts by hand or that a tool adds has no requests; with a quota it is refused, without one it
//! takes what it finds.
//!
//! ## How to mend it
//! Add a LimitRange with `defaultRequest` and `default` for containers.
//!
//! ## Example
//! ```yaml
//! kind: Namespace
//! metadata: {name: shop} # reported when no LimitRange has namespace: shop
//! ```
//!
//! ## Off by default
//! Containers that state their resources need none.

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES009", name: "limit-range", parameters: &[], source: include_str!("limit_range.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let covered: HashSet<&str> = context.index.of_kinds(&["LimitRange"]).map(namespace_of).collect();
    let used: HashSet<&str> = context.index.workloads().iter().map(|workload| workload.namespace).collect();
    for namespace in context.index.of_kinds(&["Namespace"]) {
        let name = namespace.name.as_str();
        if used.contains(name) && !covered.contains(name) {
            context.whole(namespace, format!("namespace {name} has no LimitRange"));
        }
    }
}

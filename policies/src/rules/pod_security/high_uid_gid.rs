//! Containers run with numbers that no user or group of the node has.
//!
//! ## What it does
//! Reports `runAsUser` and `runAsGroup` below `minimum` (10000). A container's own value wins over the pod's. What is
//! not set is the image's and is left out, as are pods with `hostUsers: false` and Windows pods.
//!
//! ## Why it matters
//! A process that leaves its container has the rights of the node's user with the same number.
//!
//! ## How to mend it
//! Choose a user and a group of 10000 or more, and let the image's files belong to them.
//!
//! ## Example
//! ```yaml
//! securityContext: {runAsUser: 999} # reported
//! ```
//!
//! ## Off by default
//! Most public images run as a user below 10000.

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC023", name: "high-uid-gid", parameters: &[("minimum", "10000")], source: include_str!("high_uid_gid.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let minimum = context.number("minimum");
    let has_own_users = |pod: &gauntlet_fixtures::manifest::Field<'_>| pod.bool_at("hostUsers") == Some(false);
    for workload in context.index.pods().filter(|workload| !workload.is_windows() && !has_own_users(&workload.pod)) {
        let containers = workload.every_container();
        for key in ["runAsUser", "runAsGroup"] {
            let own = |container: &crate::workload::Container<'_>| container.field.at(&format!("securityContext.{key}")).is_some();
            // The pod's value is reported once, when one container at least runs with it.
            let inherits = containers.iter().any(|container| !own(container));
            for (who, security) in workload.security_contexts() {
                let Some(field) = security.get(key).filter(|_| inherits || who != "the pod") else { continue };
                if let Some(number) = field.node.as_i64().filter(|number| *number < minimum) {
                    context.wrong(workload.object, &field, format!("{who} has {key} {number}, below {minimum}"));
                }
            }
        }
    }
}

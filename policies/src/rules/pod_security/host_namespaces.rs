//! No pod shares its node's namespaces.
//!
//! ## What it does
//! Reports `hostNetwork`, `hostPID` and `hostIPC` set to true.
//!
//! ## Why it matters
//! Such a pod sees the node's processes or network: it can read other pods' memory and traffic, and no
//! NetworkPolicy holds it.
//!
//! ## How to mend it
//! Remove the field. What must be reachable on a node gets a Service; what must observe nodes belongs in a
//! namespace of its own.
//!
//! ## Example
//! ```yaml
//! spec: {hostNetwork: true} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC003", name: "host-namespaces", parameters: &[], source: include_str!("host_namespaces.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for key in ["hostNetwork", "hostPID", "hostIPC"] {
            if let Some(field) = workload.pod.get(key).filter(|field| field.node.as_bool() == Some(true)) {
                context.wrong(workload.object, &field, format!("{key} shares a namespace of the node"));
            }
        }
    }
}

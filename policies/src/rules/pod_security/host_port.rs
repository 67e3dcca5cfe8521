//! No container takes a port of its node.
//!
//! ## What it does
//! Reports container ports with a `hostPort`, as the baseline Pod Security Standard does.
//!
//! ## Why it matters
//! A port of the node is reached past the Service and, with many network plugins, past NetworkPolicies. Two pods that
//! want the same one never share a node.
//!
//! ## How to mend it
//! Remove `hostPort` and put a Service in front of the pods.
//!
//! ## Example
//! ```yaml
//! ports: [{containerPort: 8080, hostPort: 80}] # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC016", name: "host-port", parameters: &[], source: include_str!("host_port.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            for port in container.field.items_at("ports") {
                if let Some(field) = port.get("hostPort").filter(|field| field.node.as_i64() != Some(0)) {
                    let message = format!("container {} takes port {} of its node", container.name, field.node);
                    context.wrong(workload.object, &field, message);
                }
            }
        }
    }
}

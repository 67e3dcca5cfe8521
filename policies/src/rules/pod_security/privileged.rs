//! No container runs privileged.
//!
//! ## What it does
//! Reports containers, init and ephemeral ones included, with `securityContext.privileged: true`.
//!
//! ## Why it matters
//! A privileged container has every capability and every device of its node: whoever breaks into it owns the node
//! and every pod there.
//!
//! ## How to mend it
//! Remove `privileged`, and add the single capability or device that the container needs.
//!
//! ## Example
//! ```yaml
//! securityContext: {privileged: true} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC001", name: "privileged", parameters: &[], source: include_str!("privileged.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            if let Some(field) = container.field.at("securityContext.privileged").filter(|field| field.node.as_bool() == Some(true)) {
                context.wrong(workload.object, &field, format!("container {} runs privileged", container.name));
            }
        }
    }
}

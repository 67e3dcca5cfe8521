//! Every variable of a container is set once.
//!
//! ## What it does
//! Reports variables that stand in a container's `env` a second time. A variable that overrides one of `envFrom` is a
//! usual way to change one value, and is not reported.
//!
//! ## Why it matters
//! The last one wins, and a later `kubectl apply` may lose one of them: which value runs depends on history.
//!
//! ## How to mend it
//! Remove one of them.
//!
//! ## Example
//! ```yaml
//! env: [{name: LOG, value: info}, {name: LOG, value: debug}] # the second is reported
//! ```

use crate::rule::{Context, Rule};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH005", name: "duplicate-env-var", parameters: &[], source: include_str!("duplicate_env_var.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for container in workload.containers() {
            let mut seen = HashSet::new();
            for name in container.field.items_at("env").iter().filter_map(|variable| variable.get("name")) {
                let text = name.str().unwrap_or_default();
                if !seen.insert(text) {
                    context.wrong(workload.object, &name, format!("container {} sets {text} a second time: the last one wins", container.name));
                }
            }
        }
    }
}

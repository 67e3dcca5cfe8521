//! A pod that hangs is restarted.
//!
//! ## What it does
//! Reports containers of long-running workloads without a liveness probe. Init containers and sidecars are left
//! out.
//!
//! ## Why it matters
//! A program that hangs keeps its place in the workload and does no work until a person notices.
//!
//! ## How to mend it
//! Add a `livenessProbe` that looks at the process alone, never at its stores.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web # reported: no livenessProbe
//!     image: web:1.0
//! ```

use crate::rule::{Context, Rule};
use crate::workload::Role;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL007", name: "liveness-probe", parameters: &[], source: include_str!("liveness_probe.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| workload.is_long_running()) {
        for container in workload.containers().iter().filter(|container| container.role == Role::Main) {
            if container.field.get("livenessProbe").is_none() {
                let message = format!("container {} has no livenessProbe", container.name);
                context.missing(workload.object, &container.field, "livenessProbe", message);
            }
        }
    }
}

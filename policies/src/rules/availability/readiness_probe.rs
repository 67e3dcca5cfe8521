//! Pods get requests only when they can answer them.
//!
//! ## What it does
//! Reports containers of long-running workloads without a readiness probe. Init containers and sidecars are left
//! out.
//!
//! ## Why it matters
//! Without one a pod gets requests as soon as its process starts, so every rollout and every scale-up costs errors.
//!
//! ## How to mend it
//! Add a `readinessProbe` that answers only when the program can serve.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web # reported: no readinessProbe
//!     image: web:1.0
//! ```

use crate::rule::{Context, Rule};
use crate::workload::Role;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL006", name: "readiness-probe", parameters: &[], source: include_str!("readiness_probe.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| workload.is_long_running()) {
        for container in workload.containers().iter().filter(|container| container.role == Role::Main) {
            if container.field.get("readinessProbe").is_none() {
                let message = format!("container {} has no readinessProbe", container.name);
                context.missing(workload.object, &container.field, "readinessProbe", message);
            }
        }
    }
}

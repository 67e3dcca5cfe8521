//! Every container says how much memory it needs.
//!
//! ## What it does
//! Reports containers without a request for memory. A limit counts as the request, as in the API server.
//!
//! ## Why it matters
//! When a node runs out of memory, pods without requests are killed first.
//!
//! ## How to mend it
//! Set `resources.requests.memory` to what the container uses in normal times.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web # reported: no request for memory
//!     resources: {}
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES002", name: "memory-requests", parameters: &[], source: include_str!("memory_requests.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for container in workload.containers() {
            if container.request("memory").is_none() {
                let message = format!("container {} has no request for memory", container.name);
                context.missing(workload.object, &container.field, "resources.requests.memory", message);
            }
        }
    }
}

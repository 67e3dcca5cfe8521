//! Every container sees the masked /proc.
//!
//! ## What it does
//! Reports a `procMount` other than `Default`, as the Pod Security Standards do. From Kubernetes 1.35 the baseline
//! one allows every value in pods with `hostUsers: false` (`userNamespaces: true`), the restricted one does not.
//!
//! ## Why it matters
//! The runtime hides and write-protects parts of /proc through which a container reads and changes its node.
//!
//! ## How to mend it
//! Remove `procMount`.
//!
//! ## Example
//! ```yaml
//! securityContext: {procMount: Unmasked} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC011", name: "proc-mount", parameters: &[("userNamespaces", "true")], source: include_str!("proc_mount.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    let relaxes = context.parameter("userNamespaces") == true;
    let is_relaxed = |workload: &crate::workload::Workload<'_>| relaxes && workload.is_relaxed_by_user_namespace(kubernetes);
    for workload in context.index.pods().filter(|workload| !is_relaxed(workload)) {
        for container in workload.every_container() {
            if let Some(field) = container.field.at("securityContext.procMount").filter(|field| field.str() != Some("Default")) {
                let message = format!("container {} mounts /proc {}, not Default", container.name, field.node);
                context.wrong(workload.object, &field, message);
            }
        }
    }
}

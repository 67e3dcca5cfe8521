//! SELinux keeps containers in the types that are made for them.
//!
//! ## What it does
//! Reports `seLinuxOptions` with a type other than the container types, and every user and role, as the baseline Pod
//! Security Standard does. `container_engine_t` is allowed from Kubernetes 1.31.
//!
//! ## Why it matters
//! Another type, such as `spc_t`, is not confined: the container touches what the node's own services may touch.
//!
//! ## How to mend it
//! Remove the type, the user and the role; a `level` may stay.
//!
//! ## Example
//! ```yaml
//! securityContext: {seLinuxOptions: {type: spc_t}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC013", name: "selinux", parameters: &[], source: include_str!("selinux.rs"), check };

/// Allowed types, each with the minor version of Kubernetes that allowed it first.
const TYPES: [(&str, u32); 5] =
    [("", 0), ("container_t", 0), ("container_init_t", 0), ("container_kvm_t", 0), ("container_engine_t", 31)];

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    let is_allowed = |name: &str| TYPES.iter().any(|(allowed, since)| *allowed == name && kubernetes.is_at_least(*since));
    for workload in context.index.pods() {
        for (who, security) in workload.security_contexts() {
            let Some(options) = security.get("seLinuxOptions") else { continue };
            if let Some(field) = options.get("type").filter(|field| !field.str().is_some_and(is_allowed)) {
                context.wrong(workload.object, &field, format!("{who} has the SELinux type {}, which is no container's", field.node));
            }
            for key in ["user", "role"] {
                if let Some(field) = options.get(key).filter(|field| field.str() != Some("")) {
                    context.wrong(workload.object, &field, format!("{who} sets the SELinux {key} {}", field.node));
                }
            }
        }
    }
}

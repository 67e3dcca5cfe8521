//! Every container runs under a seccomp profile.
//!
//! ## What it does
//! Reports containers for which neither their own nor the pod's security context sets a seccomp profile of type
//! `RuntimeDefault` or `Localhost`. Windows pods are left out.
//!
//! ## Why it matters
//! Without a profile a container may make every system call, the rare ones with the holes in them too.
//!
//! ## How to mend it
//! Set `seccompProfile: {type: RuntimeDefault}` in the pod's security context.
//!
//! ## Example
//! ```yaml
//! securityContext: {seccompProfile: {type: Unconfined}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC007", name: "seccomp-runtime-default", parameters: &[], source: include_str!("seccomp_runtime_default.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| !workload.is_windows()) {
        for container in workload.containers() {
            let name = container.name;
            match container.security(workload, "seccompProfile.type") {
                Some(field) if matches!(field.str(), Some("RuntimeDefault" | "Localhost")) => {}
                Some(field) => context.wrong(workload.object, &field, format!("container {name} runs with the seccomp profile {}", field.node)),
                None => {
                    let message = format!("container {name} has no seccomp profile, neither here nor from the pod");
                    context.missing(workload.object, &container.field, "securityContext.seccompProfile", message);
                }
            }
        }
    }
}

//! No container runs as root.
//!
//! ## What it does
//! Reports containers for which neither their own nor the pod's security context says `runAsNonRoot: true`, and
//! those that set `runAsUser: 0`. The container's own value wins over the pod's. Windows pods are left out.
//!
//! ## Why it matters
//! Root in a container is root on the node for every hole in the kernel and for every mounted file.
//!
//! ## How to mend it
//! Set `runAsNonRoot: true` in the pod's security context, and a user in the image or in `runAsUser`.
//!
//! ## Example
//! ```yaml
//! spec:
//!   securityContext: {runAsUser: 0} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC005", name: "run-as-non-root", parameters: &[], source: include_str!("run_as_non_root.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| !workload.is_windows()) {
        for container in workload.containers() {
            let name = container.name;
            if let Some(user) = container.security(workload, "runAsUser").filter(|user| user.node.as_i64() == Some(0)) {
                context.wrong(workload.object, &user, format!("container {name} runs as user 0"));
                continue;
            }
            match container.security(workload, "runAsNonRoot") {
                Some(field) if field.node.as_bool() == Some(true) => {}
                Some(field) => context.wrong(workload.object, &field, format!("container {name} may run as root")),
                None => {
                    let message = format!("container {name} may run as root: runAsNonRoot is set neither here nor for the pod");
                    context.missing(workload.object, &container.field, "securityContext.runAsNonRoot", message);
                }
            }
        }
    }
}

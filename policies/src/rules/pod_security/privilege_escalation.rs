//! No process gains more rights than its parent.
//!
//! ## What it does
//! Reports containers without `allowPrivilegeEscalation: false`. Windows pods have no
//! such field and are left out from Kubernetes 1.25.
//!
//! ## Why it matters
//! A setuid program in the image is enough to become root when escalation is allowed, and allowed is the default.
//!
//! ## How to mend it
//! Set `securityContext.allowPrivilegeEscalation: false` in every container; the pod cannot set it for them.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web
//!     securityContext: {} # reported: the default allows it
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC002", name: "privilege-escalation", parameters: &[], source: include_str!("privilege_escalation.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    for workload in context.index.pods().filter(|workload| !workload.is_exempt_as_windows(kubernetes)) {
        for container in workload.every_container() {
            match container.field.at("securityContext.allowPrivilegeEscalation") {
                Some(field) if field.node.as_bool() == Some(false) => {}
                Some(field) => context.wrong(workload.object, &field, format!("container {} may gain privileges", container.name)),
                None => {
                    let message = format!("container {} may gain privileges: allowPrivilegeEscalation is not set to false", container.name);
                    context.missing(workload.object, &container.field, "securityContext.allowPrivilegeEscalation", message);
                }
            }
        }
    }
}

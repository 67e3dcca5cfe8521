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
//! ## Automatic fix
//! Writes `allowPrivilegeEscalation: false` where it is unset, for containers that are not privileged, add no capability,
//! name no port below 1024 and call no `sudo`.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - name: web
//!     securityContext: {} # reported: the default allows it
//! ```

use crate::fix::set;
use crate::rule::{Context, Rule};
use crate::workload::Container;

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
                    if !workload.is_windows() && gains_nothing(container) {
                        let edit = set(&container.field, &["securityContext", "allowPrivilegeEscalation"], false);
                        context.fix("Nothing in the container asks for more rights than it starts with.", [edit]);
                    }
                }
            }
        }
    }
}

/// True: it shows no sign of a program that becomes somebody else. Binaries with capabilities of their own are for low ports.
fn gains_nothing(container: &Container<'_>) -> bool {
    let security = |path: &str| container.field.get("securityContext").and_then(|security| security.at(path));
    let privileged = security("privileged").is_some_and(|field| field.node.as_bool() != Some(false));
    let adds = security("capabilities.add").is_some_and(|add| !add.items().is_empty());
    let low_port = container.ports().iter().any(|(port, _)| *port < 1024);
    let mut words = ["command", "args"].iter().flat_map(|key| container.field.items_at(key));
    let sudo = words.any(|word| word.str().is_some_and(|word| word.contains("sudo")));
    !(privileged || adds || low_port || sudo)
}

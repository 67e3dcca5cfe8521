//! No container may run as root.
//!
//! ## What it does
//! Reports containers for which neither their own nor the pod's security context says `runAsNonRoot: true`, and
//! every `runAsNonRoot: false`, as the restricted Pod Security Standard does. A pod with `hostUsers: false` is left
//! out from Kubernetes 1.35: its root is nobody on the node.
//!
//! ## Why it matters
//! Root in a container is root on the node for every hole in the kernel and for every mounted file.
//!
//! ## How to mend it
//! Set `runAsNonRoot: true` in the pod's security context, and a user in the image or in `runAsUser`.
//!
//! ## Automatic fix
//! Writes `runAsNonRoot: true` for a container whose `runAsUser`, its own or the pod's, is not 0.
//!
//! ## Example
//! ```yaml
//! spec:
//!   securityContext: {runAsNonRoot: false} # reported
//! ```

use crate::fix::set;
use crate::rule::{Context, Rule};
use crate::workload::{Container, Workload};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC005", name: "run-as-non-root", parameters: &[], source: include_str!("run_as_non_root.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    for workload in context.index.pods().filter(|workload| !workload.is_relaxed_by_user_namespace(kubernetes)) {
        let of_pod = workload.pod.at("securityContext.runAsNonRoot");
        if let Some(field) = of_pod.as_ref().filter(|field| field.node.as_bool() != Some(true)) {
            context.wrong(workload.object, field, "the pod lets its containers run as root");
        }
        for container in workload.every_container() {
            let name = container.name;
            match container.field.at("securityContext.runAsNonRoot") {
                Some(field) if field.node.as_bool() == Some(true) => {}
                Some(field) => {
                    context.wrong(workload.object, &field, format!("container {name} may run as root"));
                    fix(context, workload, container);
                }
                // What the pod says is inherited; `false` is reported where it stands.
                None if of_pod.is_some() => {}
                None => {
                    let message = format!("container {name} may run as root: runAsNonRoot is set neither here nor for the pod");
                    context.missing(workload.object, &container.field, "securityContext.runAsNonRoot", message);
                    fix(context, workload, container);
                }
            }
        }
    }
}

fn fix(context: &mut Context<'_, '_>, workload: &Workload<'_>, container: &Container<'_>) {
    let user = container.security(workload, "runAsUser").and_then(|user| user.node.as_i64());
    if user.is_some_and(|user| user > 0) && !workload.is_windows() {
        let edit = set(&container.field, &["securityContext", "runAsNonRoot"], true);
        context.fix("It runs as another user than root already; this only keeps it so.", [edit]);
    }
}

//! Every container runs under a seccomp profile.
//!
//! ## What it does
//! Reports containers for which neither their own nor the pod's security context sets a seccomp profile of type
//! `RuntimeDefault` or `Localhost`, and every other type where one is set, as the restricted Pod Security Standard
//! does. Before Kubernetes 1.27 an annotation of the alpha API counts where the field is not set. Windows pods are
//! left out from 1.25.
//!
//! ## Why it matters
//! Without a profile a container may make every system call, the rare ones with the holes in them too.
//!
//! ## How to mend it
//! Set `seccompProfile: {type: RuntimeDefault}` in the pod's security context.
//!
//! ## Automatic fix
//! Writes `seccompProfile: {type: RuntimeDefault}` for a pod without any, when none of its containers adds a capability or is
//! privileged.
//!
//! ## Example
//! ```yaml
//! securityContext: {seccompProfile: {type: Unconfined}} # reported
//! ```

use crate::fix::set;
use crate::rule::{Context, Rule};
use crate::seccomp;
use crate::workload::Workload;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC007", name: "seccomp-runtime-default", parameters: &[], source: include_str!("seccomp_runtime_default.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    for workload in context.index.pods().filter(|workload| !workload.is_exempt_as_windows(kubernetes)) {
        let of_pod = seccomp::of_pod(workload, kubernetes);
        if let Some(profile) = of_pod.as_ref().filter(|profile| !profile.is_confined) {
            let message = format!("the pod runs with the seccomp profile {}, not RuntimeDefault or Localhost", profile.field.node);
            context.wrong(workload.object, &profile.field, message);
        }
        for container in workload.every_container() {
            let name = container.name;
            match seccomp::of_container(workload, container, kubernetes) {
                Some(profile) if profile.is_confined => {}
                Some(profile) => {
                    let shown = profile.field.node;
                    let message = format!("container {name} runs with the seccomp profile {shown}, not RuntimeDefault or Localhost");
                    context.wrong(workload.object, &profile.field, message);
                }
                // The pod's profile is inherited; a bad one is reported where it stands.
                None if of_pod.is_some() => {}
                None => {
                    let message = format!("container {name} has no seccomp profile, neither here nor from the pod");
                    context.missing(workload.object, &container.field, "securityContext.seccompProfile", message);
                    if is_ordinary(workload) {
                        let edit = set(&workload.pod, &["securityContext", "seccompProfile", "type"], "RuntimeDefault");
                        context.fix("The runtime's profile leaves out only calls that no ordinary program makes.", [edit]);
                    }
                }
            }
        }
    }
}

/// True: no container has more rights than usual, for which it may need unusual calls.
fn is_ordinary(workload: &Workload<'_>) -> bool {
    let unusual = workload.every_container().iter().filter_map(|container| container.field.get("securityContext")).any(|security| {
        security.get("privileged").is_some_and(|field| field.node.as_bool() != Some(false)) || !security.items_at("capabilities.add").is_empty()
    });
    !unusual && !workload.is_windows()
}

//! No container switches its seccomp profile off.
//!
//! ## What it does
//! Reports seccomp profiles of a type other than `RuntimeDefault` and `Localhost`, as the baseline Pod Security
//! Standard does. No profile at all is allowed there; `seccomp-runtime-default` asks for one. Before Kubernetes 1.27
//! an annotation of the alpha API counts where the field is not set.
//!
//! ## Why it matters
//! `Unconfined` is a decision to allow every system call, also where the node would have set a profile by default.
//!
//! ## How to mend it
//! Remove the profile, or set `seccompProfile: {type: RuntimeDefault}`.
//!
//! ## Example
//! ```yaml
//! securityContext: {seccompProfile: {type: Unconfined}} # reported
//! ```
//!
//! ## Off by default
//! `seccomp-runtime-default` asks for more.

use crate::rule::{Context, Rule};
use crate::seccomp;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC018", name: "seccomp-unconfined", parameters: &[], source: include_str!("seccomp_unconfined.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        let of_pod = seccomp::of_pod(workload, context.kubernetes).map(|profile| ("the pod".to_owned(), profile));
        let containers = workload.every_container();
        let of_containers = containers.iter().filter_map(|container| {
            let profile = seccomp::of_container(workload, container, context.kubernetes)?;
            Some((format!("container {}", container.name), profile))
        });
        let profiles: Vec<_> = of_pod.into_iter().chain(of_containers).filter(|(_, profile)| !profile.is_confined).collect();
        for (who, profile) in profiles {
            let message = format!("{who} runs with the seccomp profile {}, not RuntimeDefault or Localhost", profile.field.node);
            context.wrong(workload.object, &profile.field, message);
        }
    }
}

//! No pod acts under the account that all pods share.
//!
//! ## What it does
//! Reports pods that mount the token of their namespace's service account `default`, and bindings that give that
//! account a role. Pods with `automountServiceAccountToken: false`, or whose account says so, are left out.
//!
//! ## Why it matters
//! Every pod that names no account is `default`: a right for one of them is a right for all, now and later.
//!
//! ## How to mend it
//! Make a service account of its own for what talks to the API server; set `automountServiceAccountToken: false`
//! for the rest.
//!
//! ## Example
//! ```yaml
//! spec: {containers: [{name: web}]} # reported: serviceAccountName is not set and the token is mounted
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC024", name: "default-service-account", parameters: &[], source: include_str!("default_service_account.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| workload.service_account() == "default") {
        if context.index.mounts_token(workload) {
            let message = "the pod mounts the token of the service account default, which all pods of the namespace share";
            match ["serviceAccountName", "serviceAccount"].iter().find_map(|key| workload.pod.get(key)) {
                Some(field) => context.wrong(workload.object, &field, message),
                None => context.missing(workload.object, &workload.pod, "serviceAccountName", message),
            }
        }
    }
    for binding in context.index.of_kinds(&["RoleBinding", "ClusterRoleBinding"]) {
        for subject in Field::root(&binding.root).items_at("subjects") {
            let Some(name) = subject.get("name").filter(|name| name.str() == Some("default")) else { continue };
            if subject.str_at("kind") == Some("ServiceAccount") {
                let namespace = subject.str_at("namespace").unwrap_or_else(|| namespace_of(binding));
                let message = format!("every pod of namespace {namespace} without an account of its own gets this role");
                context.wrong(binding, &name, message);
            }
        }
    }
}

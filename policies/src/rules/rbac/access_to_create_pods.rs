//! No program creates pods, or what makes pods.
//!
//! ## What it does
//! Reports roles that allow `create` of pods, and `create`, `update` or `patch` of the kinds that make pods.
//! Roles that the manifests bind to users and groups of people alone are left out; `people: true` reports them too.
//!
//! ## Why it matters
//! Who creates a pod chooses its service account and mounts every Secret of the namespace: the right to create pods is
//! all their rights.
//!
//! ## How to mend it
//! Leave creation to the tool that deploys. Where a program must start jobs, give it a namespace of its own, with a Pod
//! Security Standard and without other accounts.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [batch], resources: [jobs], verbs: [create]} # reported
//! ```
//!
//! ## Off by default
//! The account of the tool that deploys needs it.

use crate::privilege::{Privilege, grants_to_programs};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RBA005",
    name: "access-to-create-pods",
    parameters: &[("people", "false")],
    source: include_str!("access_to_create_pods.rs"),
    check,
};

static PRIVILEGES: [Privilege; 8] = [
    Privilege { group: "", resource: "pods", verbs: &["create"] },
    Privilege { group: "", resource: "replicationcontrollers", verbs: &["create", "update", "patch"] },
    Privilege { group: "apps", resource: "deployments", verbs: &["create", "update", "patch"] },
    Privilege { group: "apps", resource: "statefulsets", verbs: &["create", "update", "patch"] },
    Privilege { group: "apps", resource: "daemonsets", verbs: &["create", "update", "patch"] },
    Privilege { group: "apps", resource: "replicasets", verbs: &["create", "update", "patch"] },
    Privilege { group: "batch", resource: "jobs", verbs: &["create", "update", "patch"] },
    Privilege { group: "batch", resource: "cronjobs", verbs: &["create", "update", "patch"] },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants_to_programs(context, &PRIVILEGES) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}

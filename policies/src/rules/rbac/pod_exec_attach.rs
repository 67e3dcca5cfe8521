//! No program runs commands inside other pods.
//!
//! ## What it does
//! Reports roles that allow `get` or `create` of `pods/exec` and `pods/attach`, or change `pods/ephemeralcontainers`.
//! `get` is enough: a WebSocket connection is made with it. `pods` alone does not allow them.
//! Roles that the manifests bind to users and groups of people alone are left out; `people: true` reports them too.
//!
//! ## Why it matters
//! A command in a pod has the pod's Secrets, files, network and rights, and stands in no manifest.
//!
//! ## How to mend it
//! Remove the rule; give it to people for an hour when they need it, not to accounts of programs.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [""], resources: [pods/exec], verbs: [create]} # reported
//! ```

use crate::privilege::{Privilege, grants_to_programs};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA006", name: "pod-exec-attach", parameters: &[("people", "false")], source: include_str!("pod_exec_attach.rs"), check };

static PRIVILEGES: [Privilege; 3] = [
    Privilege { group: "", resource: "pods/exec", verbs: &["get", "create"] },
    Privilege { group: "", resource: "pods/attach", verbs: &["get", "create"] },
    Privilege { group: "", resource: "pods/ephemeralcontainers", verbs: &["update", "patch"] },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants_to_programs(context, &PRIVILEGES) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}

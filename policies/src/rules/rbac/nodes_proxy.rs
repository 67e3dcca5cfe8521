//! No role talks to kubelets past the API server.
//!
//! ## What it does
//! Reports roles that allow any verb on `nodes/proxy`.
//!
//! ## Why it matters
//! The kubelet runs commands in every pod of its node for whoever comes this way, past admission and the audit log;
//! `get` is enough for it.
//!
//! ## How to mend it
//! Ask for `nodes/metrics` or `nodes/stats`, which a monitoring program needs, instead of `nodes/proxy`.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [""], resources: [nodes/proxy], verbs: [get]} # reported
//! ```

use crate::privilege::{Privilege, grants};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA009", name: "nodes-proxy", parameters: &[], source: include_str!("nodes_proxy.rs"), check };

static PRIVILEGES: [Privilege; 1] = [
    Privilege { group: "", resource: "nodes/proxy", verbs: &["get", "create", "update", "patch", "delete"] },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants(context.index, &PRIVILEGES) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}

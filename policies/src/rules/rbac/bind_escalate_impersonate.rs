//! No role lets its holder take rights that he has not.
//!
//! ## What it does
//! Reports roles that allow `bind` or `escalate` of roles, and `impersonate` of users, groups, service accounts, uids
//! and extra fields.
//!
//! ## Why it matters
//! These verbs switch off the check that nobody gives away more than he has: they are a way to cluster-admin.
//!
//! ## How to mend it
//! Remove the verb. Name the few roles that may be bound in `resourceNames` where an operator needs it.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [rbac.authorization.k8s.io], resources: [clusterroles], verbs: [bind]} # reported
//! ```

use crate::privilege::{Privilege, grants};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RBA007",
    name: "bind-escalate-impersonate",
    parameters: &[],
    source: include_str!("bind_escalate_impersonate.rs"),
    check,
};

static PRIVILEGES: [Privilege; 7] = [
    Privilege { group: "rbac.authorization.k8s.io", resource: "roles", verbs: &["bind", "escalate"] },
    Privilege { group: "rbac.authorization.k8s.io", resource: "clusterroles", verbs: &["bind", "escalate"] },
    Privilege { group: "", resource: "users", verbs: &["impersonate"] },
    Privilege { group: "", resource: "groups", verbs: &["impersonate"] },
    Privilege { group: "", resource: "serviceaccounts", verbs: &["impersonate"] },
    Privilege { group: "authentication.k8s.io", resource: "uids", verbs: &["impersonate"] },
    Privilege { group: "authentication.k8s.io", resource: "userextras", verbs: &["impersonate"] },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants(context.index, &PRIVILEGES).into_iter().filter(|grant| !grant.is_for_named) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}

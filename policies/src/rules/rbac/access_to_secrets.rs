//! No program reads every Secret.
//!
//! ## What it does
//! Reports roles that allow `get`, `list` or `watch` of Secrets without naming them in `resourceNames`. `list` and
//! `watch` show what is inside, not only the names.
//! Roles that the manifests bind to users and groups of people alone are left out; `people: true` reports them too.
//!
//! ## Why it matters
//! Who reads the Secrets of a namespace is everybody whose token and password is among them.
//!
//! ## How to mend it
//! Name the Secrets in `resourceNames` and allow `get` alone, or mount them into the pod that needs them.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [""], resources: [secrets], verbs: [list]} # reported
//! ```

use crate::privilege::{Privilege, grants_to_programs};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RBA004",
    name: "access-to-secrets",
    parameters: &[("people", "false")],
    source: include_str!("access_to_secrets.rs"),
    check,
};

static PRIVILEGES: [Privilege; 1] = [
    Privilege { group: "", resource: "secrets", verbs: &["get", "list", "watch"] },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants_to_programs(context, &PRIVILEGES).into_iter().filter(|grant| !grant.is_for_named) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}

//! No role makes tokens for every service account.
//!
//! ## What it does
//! Reports roles that allow `create` of `serviceaccounts/token` without naming the accounts in `resourceNames`.
//!
//! ## Why it matters
//! With a token of another account its holder has the rights of that account, for as long as he asked for.
//!
//! ## How to mend it
//! Name the accounts in `resourceNames`, or mount a projected token in the pod that needs one.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [""], resources: [serviceaccounts/token], verbs: [create]} # reported
//! ```

use crate::privilege::{Privilege, grants};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA010", name: "token-create", parameters: &[], source: include_str!("token_create.rs"), check };

static PRIVILEGES: [Privilege; 1] = [
    Privilege { group: "", resource: "serviceaccounts/token", verbs: &["create"] },
];

fn check(context: &mut Context<'_, '_>) {
    for grant in grants(context.index, &PRIVILEGES).into_iter().filter(|grant| !grant.is_for_named) {
        context.wrong(grant.role, &grant.resource, grant.message());
    }
}

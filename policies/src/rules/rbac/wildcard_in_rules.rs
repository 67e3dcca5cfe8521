//! Roles name what they allow.
//!
//! ## What it does
//! Reports `*` among the verbs, resources or API groups of Roles and ClusterRoles.
//!
//! ## Why it matters
//! A wildcard also allows what is added to the cluster later, and it hides what is really needed.
//!
//! ## How to mend it
//! List the verbs and resources that are used.
//!
//! ## Example
//! ```yaml
//! rules:
//!   - {apiGroups: [""], resources: ["*"], verbs: [get]} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA001", name: "wildcard-in-rules", parameters: &[], source: include_str!("wildcard_in_rules.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let roles: Vec<_> = ["Role", "ClusterRole"].iter().flat_map(|kind| context.index.of_kind(kind)).copied().collect();
    for role in roles {
        for rule in Field::root(&role.root).items_at("rules") {
            for key in ["verbs", "resources", "apiGroups"] {
                for item in rule.items_at(key).iter().filter(|item| item.str() == Some("*")) {
                    context.wrong(role, item, format!("`*` among its {key} allows everything"));
                }
            }
        }
    }
}

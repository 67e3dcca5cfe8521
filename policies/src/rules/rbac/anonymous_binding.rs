//! Nobody has rights without having said who he is.
//!
//! ## What it does
//! Reports bindings with the user `system:anonymous` or the group `system:unauthenticated`. The cluster's own
//! `system:public-info-viewer` and the `cluster-info` of kubeadm are left out.
//!
//! ## Why it matters
//! Whoever reaches the API server over the network has these rights.
//!
//! ## How to mend it
//! Bind the role to a service account, or to a group that people log in to.
//!
//! ## Example
//! ```yaml
//! subjects:
//!   - {kind: Group, name: system:unauthenticated} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA011", name: "anonymous-binding", parameters: &[], source: include_str!("anonymous_binding.rs"), check };

/// Roles that are made for everybody: the version of the server, and what a new node reads before it has a token.
const PUBLIC: [&str; 2] = ["system:public-info-viewer", "kubeadm:bootstrap-signer-clusterinfo"];

fn check(context: &mut Context<'_, '_>) {
    for binding in context.index.of_kinds(&["RoleBinding", "ClusterRoleBinding"]) {
        let root = Field::root(&binding.root);
        if root.str_at("roleRef.name").is_some_and(|role| PUBLIC.contains(&role)) {
            continue;
        }
        for subject in root.items_at("subjects") {
            let Some(name) = subject.get("name") else { continue };
            if let (Some("User"), Some("system:anonymous")) | (Some("Group"), Some("system:unauthenticated")) =
                (subject.str_at("kind"), name.str())
            {
                context.wrong(binding, &name, format!("{} is everybody who reaches the API server", name.node));
            }
        }
    }
}

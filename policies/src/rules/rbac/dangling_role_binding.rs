//! Bindings bind roles and accounts that exist.
//!
//! ## What it does
//! Reports RoleBindings and ClusterRoleBindings whose role or service account is not in the manifests. The
//! cluster's own roles (`view`, `edit`, `admin`, `cluster-admin`, `system:…`) and the `default` account exist
//! everywhere.
//!
//! ## Why it matters
//! The API server takes such a binding without a word; the pod then gets 403 where it thought it had rights. A role
//! that somebody else creates later by that name is bound at once.
//!
//! ## How to mend it
//! Add the role or the account, or mend the name and the namespace.
//!
//! ## Example
//! ```yaml
//! roleRef: {kind: Role, name: not-there} # reported
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA002", name: "dangling-role-binding", parameters: &[], source: include_str!("dangling_role_binding.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let bindings: Vec<_> =
        ["RoleBinding", "ClusterRoleBinding"].iter().flat_map(|kind| context.index.of_kind(kind)).copied().collect();
    for binding in bindings {
        let root = Field::root(&binding.root);
        let namespace = namespace_of(binding);
        if let Some(name) = root.at("roleRef.name") {
            let kind = root.str_at("roleRef.kind").unwrap_or_default();
            let text = name.str().unwrap_or_default();
            let role_namespace = if kind == "Role" { namespace } else { "" };
            if !is_built_in(kind, text) && context.index.find(kind, role_namespace, text).is_none() {
                context.wrong(binding, &name, format!("there is no {kind} {text}{}", place(role_namespace)));
            }
        }
        for subject in root.items_at("subjects").iter().filter(|subject| subject.str_at("kind") == Some("ServiceAccount")) {
            let Some(name) = subject.get("name") else { continue };
            let text = name.str().unwrap_or_default();
            let home = subject.str_at("namespace").unwrap_or(namespace);
            if text != "default" && context.index.find("ServiceAccount", home, text).is_none() {
                context.wrong(binding, &name, format!("there is no ServiceAccount {text}{}", place(home)));
            }
        }
    }
}

fn place(namespace: &str) -> String {
    if namespace.is_empty() { String::new() } else { format!(" in namespace {namespace}") }
}

fn is_built_in(kind: &str, name: &str) -> bool {
    kind == "ClusterRole" && (matches!(name, "view" | "edit" | "admin" | "cluster-admin") || name.starts_with("system:"))
}

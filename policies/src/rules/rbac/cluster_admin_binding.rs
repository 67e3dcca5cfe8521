//! Nobody in the manifests may do everything.
//!
//! ## What it does
//! Reports bindings to the ClusterRole `cluster-admin`, and bindings whose subject is the group `system:masters`. In a
//! RoleBinding the role means everything in one namespace and is reported too.
//!
//! ## Why it matters
//! Whoever takes over one such account owns the cluster, or the namespace, and everything in it.
//!
//! ## How to mend it
//! Write a role with the verbs and resources that are used, and bind that.
//!
//! ## Example
//! ```yaml
//! kind: ClusterRoleBinding
//! roleRef: {kind: ClusterRole, name: cluster-admin} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RBA003", name: "cluster-admin-binding", parameters: &[], source: include_str!("cluster_admin_binding.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for binding in context.index.of_kinds(&["RoleBinding", "ClusterRoleBinding"]) {
        let root = Field::root(&binding.root);
        if let Some(name) = root.at("roleRef.name").filter(|name| name.str() == Some("cluster-admin"))
            && root.str_at("roleRef.kind") == Some("ClusterRole")
        {
            let place = if binding.kind == "RoleBinding" { "in the namespace" } else { "in the cluster" };
            context.wrong(binding, &name, format!("its subjects may do everything {place}"));
        }
        for subject in root.items_at("subjects") {
            let is_group = subject.str_at("kind") == Some("Group");
            if let Some(name) = subject.get("name").filter(|name| is_group && name.str() == Some("system:masters")) {
                context.wrong(binding, &name, "the group system:masters may do everything, and no binding takes it away");
            }
        }
    }
}

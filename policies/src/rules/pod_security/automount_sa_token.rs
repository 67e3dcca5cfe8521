//! Only pods that talk to the API server carry a token for it.
//!
//! ## What it does
//! Reports workloads whose pods mount their service account's token although no RoleBinding or ClusterRoleBinding
//! in the manifests gives that account a right. The pod's `automountServiceAccountToken` wins over the account's;
//! unset in both means true.
//!
//! ## Why it matters
//! A token is a way into the API server for whoever breaks into the pod; one without a purpose is only that.
//!
//! ## How to mend it
//! Set `automountServiceAccountToken: false` in the pod, or bind a Role to its service account.
//!
//! ## Example
//! ```yaml
//! spec: {serviceAccountName: web} # reported when nothing binds web
//! ```

use crate::index::{Index, namespace_of};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC009", name: "automount-sa-token", parameters: &[], source: include_str!("automount_sa_token.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let bound = bound_accounts(context.index);
    for workload in context.index.workloads() {
        let account = workload.service_account();
        let own = workload.pod.get("automountServiceAccountToken");
        let mounts = context.index.mounts_token(workload);
        let everyone = ["system:serviceaccounts", "system:authenticated"].map(|group| bound.contains(&(group.to_owned(), String::new())));
        let namespace = bound.contains(&(format!("system:serviceaccounts:{}", workload.namespace), String::new()));
        let has_rights = namespace || everyone.contains(&true) || bound.contains(&(workload.namespace.to_owned(), account.to_owned()));
        if !mounts || has_rights {
            continue;
        }
        let message = format!("the token of service account {account} is mounted, but nothing binds a role to it");
        match own {
            Some(field) => context.wrong(workload.object, &field, message),
            None => context.missing(workload.object, &workload.pod, "automountServiceAccountToken", message),
        }
    }
}

/// Namespace and name of every service account with a right; for a group its name, and an empty second part.
fn bound_accounts(index: &Index<'_>) -> HashSet<(String, String)> {
    let mut bound = HashSet::new();
    for binding in index.of_kind("RoleBinding").iter().chain(index.of_kind("ClusterRoleBinding")) {
        for subject in Field::root(&binding.root).items_at("subjects") {
            let name = subject.str_at("name").unwrap_or_default().to_owned();
            match subject.str_at("kind") {
                Some("ServiceAccount") => {
                    let namespace = subject.str_at("namespace").unwrap_or_else(|| namespace_of(binding));
                    bound.insert((namespace.to_owned(), name));
                }
                Some("Group") => drop(bound.insert((name, String::new()))),
                _ => {}
            }
        }
    }
    bound
}

//! Every pod acts under a service account that is there.
//!
//! ## What it does
//! Reports workloads that name a service account which the manifests do not hold in their namespace. `default` is in
//! every namespace; names in the parameter `external` are made by others.
//!
//! ## Why it matters
//! The API server refuses such pods: the Deployment is there, its pods never are.
//!
//! ## How to mend it
//! Add the ServiceAccount, mend the name, or list it under `external`.
//!
//! ## Example
//! ```yaml
//! spec: {serviceAccountName: not-there} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RBA012",
    name: "non-existent-service-account",
    parameters: &[("external", "[]")],
    source: include_str!("non_existent_service_account.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let external = context.parameter("external");
    let is_external = |name: &str| external.as_array().is_some_and(|names| names.iter().any(|known| known == name));
    for workload in context.index.workloads() {
        let account = workload.service_account();
        let is_there = || context.index.find("ServiceAccount", workload.namespace, account).is_some();
        if account == "default" || is_external(account) || is_there() {
            continue;
        }
        let named = ["serviceAccountName", "serviceAccount"].iter().find_map(|key| workload.pod.get(key));
        if let Some(field) = named {
            let message = format!("there is no ServiceAccount {account} in namespace {}", workload.namespace);
            context.wrong(workload.object, &field, message);
        }
    }
}

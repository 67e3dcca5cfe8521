//! Every NetworkPolicy holds some pods.
//!
//! ## What it does
//! Reports NetworkPolicies whose `podSelector` selects no workload of their namespace, where the manifests have
//! workloads there. An empty selector selects every pod. Labels that controllers put on pods (`job-name`,
//! `statefulset.kubernetes.io/pod-name`, those of operators' own domains) may be there and are not reported.
//!
//! ## Why it matters
//! The pods that the policy was written for are not held by it, and nothing says so.
//!
//! ## How to mend it
//! Make the selector fit the labels of the pod template, in the same namespace.
//!
//! ## Example
//! ```yaml
//! kind: NetworkPolicy
//! spec: {podSelector: {matchLabels: {app: wbe}}} # reported: the pods are labelled app=web
//! ```

use crate::reach::{Policy, network_policies};
use crate::rule::{Context, Rule};
use crate::selector::is_set_by_controllers;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET007", name: "dangling-networkpolicy", parameters: &[], source: include_str!("dangling_networkpolicy.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    for object in network_policies(index) {
        let policy = Policy::of(object);
        let mut there = index.workloads_in(policy.namespace).peekable();
        let Some(field) = Field::root(&object.root).at("spec.podSelector") else { continue };
        if there.peek().is_none() || !index.select(policy.namespace, &policy.selector).is_empty() {
            continue;
        }
        if !there.any(|workload| policy.selector.could_match(&workload.labels, is_set_by_controllers)) {
            context.wrong(object, &field, format!("no workload in namespace {} has the labels {}", policy.namespace, field.node));
        }
    }
}

//! Every peer of a NetworkPolicy exists.
//!
//! ## What it does
//! Reports peers of ingress and egress rules whose `podSelector` selects no workload: in the policy's own namespace,
//! or, with a `namespaceSelector` on `kubernetes.io/metadata.name`, in those named namespaces, as far as the manifests
//! have workloads there. Empty selectors, other namespaces and labels that controllers set are left out.
//!
//! ## Why it matters
//! The flow that the rule was written for is blocked: the label was renamed, or the peer lives in another namespace,
//! which a `podSelector` alone never reaches.
//!
//! ## How to mend it
//! Mend the labels; for a peer in another namespace put `namespaceSelector` into the same list item.
//!
//! ## Example
//! ```yaml
//! ingress:
//!   - from:
//!       - podSelector: {matchLabels: {app: prometheus}} # reported: Prometheus runs in namespace monitoring
//! ```
//!
//! ## Off by default
//! A peer may be deployed into the same namespace from somewhere else.

use crate::reach::{Direction, Peer, Policy, network_policies};
use crate::rule::{Context, Rule};
use crate::selector::is_set_by_controllers;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET008", name: "dangling-networkpolicy-peer", parameters: &[], source: include_str!("dangling_networkpolicy_peer.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    for object in network_policies(index) {
        let policy = Policy::of(object);
        let rules = [Direction::Ingress, Direction::Egress].into_iter().filter_map(|direction| policy.rules(direction)).flatten();
        for peer in rules.flat_map(|rule| rule.peers.iter().flatten()) {
            let Peer::Pods { namespaces, pods, field } = peer else { continue };
            let own = [policy.namespace];
            let there = match namespaces {
                None => &own[..],
                Some(selector) => selector.values_of("kubernetes.io/metadata.name").unwrap_or_default(),
            };
            let known = !there.is_empty() && there.iter().all(|namespace| index.workloads_in(namespace).next().is_some());
            if pods.is_empty() || !known {
                continue;
            }
            let could = |namespace: &&str| {
                !index.select(namespace, pods).is_empty()
                    || index.workloads_in(namespace).any(|workload| pods.could_match(&workload.labels, is_set_by_controllers))
            };
            if !there.iter().any(could) {
                let shown = field.get("podSelector").unwrap_or_else(|| field.clone());
                let message = format!("no workload in namespace {} has the labels {}", there.join(", "), shown.node);
                context.wrong(object, &shown, message);
            }
        }
    }
}

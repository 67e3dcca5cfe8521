//! Every namespace denies by default.
//!
//! ## What it does
//! Reports namespaces with workloads in which no NetworkPolicy holds a pod that nobody thought of, for ingress or for
//! egress: its selector must select a pod without labels, as `podSelector: {}` does, and one that only leaves some pods
//! out by `NotIn` or `DoesNotExist`. A policy that allows some peers counts too, since policies add up; one with a rule
//! that allows everything does not. Nothing is said where the manifests hold policies of a network plugin or of a cluster.
//!
//! ## Why it matters
//! Without one, a pod that nobody wrote a policy for talks to everyone: the next Deployment, a debug pod, a Job.
//!
//! ## How to mend it
//! Add a NetworkPolicy with `podSelector: {}`, `policyTypes: [Ingress, Egress]` and no rules.
//!
//! ## Example
//! ```yaml
//! kind: NetworkPolicy
//! spec: {podSelector: {}, policyTypes: [Ingress], ingress: [{}]} # reported: it selects every pod and allows everything
//! ```

use crate::reach::{Direction, Policy, has_other_policies, network_policies};
use crate::rule::{Context, Rule};
use crate::selector::Labels;
use gauntlet_fixtures::manifest::Object;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET006", name: "namespace-default-deny", parameters: &[], source: include_str!("namespace_default_deny.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    if has_other_policies(index) {
        return;
    }
    let mut namespaces: BTreeMap<&str, (&Object, [bool; 2])> = BTreeMap::new();
    for workload in index.workloads().iter().filter(|workload| !workload.uses_host_network()) {
        namespaces.entry(workload.namespace).or_insert((workload.object, [false; 2]));
    }
    for object in network_policies(index) {
        let policy = Policy::of(object);
        let Some((_, denies)) = namespaces.get_mut(policy.namespace).filter(|_| policy.selector.matches(&Labels::new())) else { continue };
        for (at, direction) in [Direction::Ingress, Direction::Egress].into_iter().enumerate() {
            let rules = policy.rules(direction);
            denies[at] |= rules.is_some_and(|rules| !rules.iter().any(|rule| rule.peers.is_none() && rule.ports.is_none()));
        }
    }
    for (namespace, (first, denies)) in namespaces {
        let open: Vec<&str> = denies.iter().zip(["ingress", "egress"]).filter(|(denies, _)| !**denies).map(|(_, name)| name).collect();
        if !open.is_empty() {
            let message = format!("namespace {namespace} has no default deny for {}: no policy there holds a pod without labels", open.join(" and "));
            context.whole(index.find("Namespace", "", namespace).unwrap_or(first), message);
        }
    }
}

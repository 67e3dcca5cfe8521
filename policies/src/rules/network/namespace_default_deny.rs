//! Every namespace denies by default.
//!
//! ## What it does
//! Reports namespaces with workloads in which no NetworkPolicy selects every pod (`podSelector: {}`) for ingress, or
//! for egress. A policy that selects every pod and allows some peers counts too, since policies add up; one with a rule
//! that allows everything does not. Nothing is said where cluster-wide policies of another kind stand in the manifests.
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

use crate::reach::{Direction, Policy};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Object;
use std::collections::BTreeMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET006", name: "namespace-default-deny", parameters: &[], source: include_str!("namespace_default_deny.rs"), check };

/// Policies for a whole cluster, which may deny by default for every namespace.
const CLUSTER_WIDE: [&str; 5] =
    ["BaselineAdminNetworkPolicy", "ClusterNetworkPolicy", "AdminNetworkPolicy", "CiliumClusterwideNetworkPolicy", "GlobalNetworkPolicy"];

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    if CLUSTER_WIDE.iter().any(|kind| !index.of_kind(kind).is_empty()) {
        return;
    }
    let mut namespaces: BTreeMap<&str, (&Object, [bool; 2])> = BTreeMap::new();
    for workload in index.workloads().iter().filter(|workload| !workload.uses_host_network()) {
        namespaces.entry(workload.namespace).or_insert((workload.object, [false; 2]));
    }
    for object in index.of_kind("NetworkPolicy") {
        let policy = Policy::of(object);
        let Some((_, denies)) = namespaces.get_mut(policy.namespace).filter(|_| policy.selector.is_empty()) else { continue };
        for (at, direction) in [Direction::Ingress, Direction::Egress].into_iter().enumerate() {
            let rules = policy.rules(direction);
            denies[at] |= rules.is_some_and(|rules| !rules.iter().any(|rule| rule.peers.is_none() && rule.ports.is_none()));
        }
    }
    for (namespace, (first, denies)) in namespaces {
        let open: Vec<&str> = denies.iter().zip(["ingress", "egress"]).filter(|(denies, _)| !**denies).map(|(_, name)| name).collect();
        if !open.is_empty() {
            let message = format!("namespace {namespace} has no default deny for {}: no policy there selects every pod", open.join(" and "));
            context.whole(index.find("Namespace", "", namespace).unwrap_or(first), message);
        }
    }
}

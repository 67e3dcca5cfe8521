//! Every pod's traffic is restricted, both ways.
//!
//! ## What it does
//! Reports workloads that no NetworkPolicy of their namespace selects for ingress, or for egress. `podSelector: {}`
//! selects every pod; a policy without `policyTypes` covers ingress, and egress when it has egress rules. Pods in
//! the node's network are left out: no policy holds them. Nothing is said where the manifests hold policies of a network
//! plugin or of a cluster: those may restrict them.
//!
//! ## Why it matters
//! Where no policy selects a pod, every pod of the cluster reaches it, and it reaches the whole world.
//!
//! ## How to mend it
//! Add a NetworkPolicy that selects it, or a default-deny for the namespace with the flows that are needed.
//!
//! ## Example
//! ```yaml
//! kind: NetworkPolicy
//! spec: {podSelector: {}, policyTypes: [Ingress]} # egress is reported for every workload
//! ```

use crate::reach::{Direction, has_other_policies, isolates};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET001", name: "pod-without-networkpolicy", parameters: &[], source: include_str!("pod_without_networkpolicy.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    if has_other_policies(context.index) {
        return;
    }
    for workload in context.index.workloads() {
        if workload.uses_host_network() {
            continue;
        }
        let policies = context.index.network_policies(workload);
        let open: Vec<&str> = [(Direction::Ingress, "ingress"), (Direction::Egress, "egress")]
            .into_iter()
            .filter(|(direction, _)| !policies.iter().any(|policy| isolates(policy, *direction)))
            .map(|(_, name)| name)
            .collect();
        if !open.is_empty() {
            let message = format!("no NetworkPolicy restricts the {} of its pods", open.join(" and "));
            context.whole(workload.object, message);
        }
    }
}

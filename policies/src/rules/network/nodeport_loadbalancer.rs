//! Services are not open to the network around the cluster.
//!
//! ## What it does
//! Reports Services of type NodePort, and those of type LoadBalancer that neither limit their clients by
//! `loadBalancerSourceRanges` nor are internal by their cloud's annotation.
//!
//! ## Why it matters
//! Such a Service goes around the Ingress: around its TLS, its limits and its logs. A NodePort listens on every node.
//!
//! ## How to mend it
//! Use a ClusterIP Service behind an Ingress or a Gateway, or name the ranges that may come in.
//!
//! ## Example
//! ```yaml
//! kind: Service
//! spec: {type: NodePort} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET011", name: "nodeport-loadbalancer", parameters: &[], source: include_str!("nodeport_loadbalancer.rs"), check };

/// Annotations by which clouds keep a load balancer internal, with the value that does.
const INTERNAL: [(&str, &str); 8] = [
    ("service.beta.kubernetes.io/aws-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/aws-load-balancer-scheme", "internal"),
    ("service.beta.kubernetes.io/azure-load-balancer-internal", "true"),
    ("networking.gke.io/load-balancer-type", "Internal"),
    ("cloud.google.com/load-balancer-type", "Internal"),
    ("service.beta.kubernetes.io/oci-load-balancer-internal", "true"),
    ("service.beta.kubernetes.io/openstack-internal-load-balancer", "true"),
    ("service.kubernetes.io/ibm-load-balancer-cloud-provider-ip-type", "private"),
];

fn check(context: &mut Context<'_, '_>) {
    for service in context.index.of_kind("Service").to_vec() {
        let root = Field::root(&service.root);
        let Some(field) = root.at("spec.type") else { continue };
        match field.str() {
            Some("NodePort") => context.wrong(service, &field, "type NodePort: it listens on every node"),
            Some("LoadBalancer") => {
                let ranges = root.items_at("spec.loadBalancerSourceRanges");
                let limited = !ranges.is_empty() && ranges.iter().all(|range| !matches!(range.str(), Some("0.0.0.0/0" | "::/0")));
                let notes = root.at("metadata.annotations");
                let is_set = |key: &str, value: &str| notes.as_ref().and_then(|notes| notes.get(key)?.str()).is_some_and(|it| it.eq_ignore_ascii_case(value));
                if !limited && !INTERNAL.iter().any(|(key, value)| is_set(key, value)) {
                    context.wrong(service, &field, "type LoadBalancer, neither internal nor limited by loadBalancerSourceRanges");
                }
            }
            _ => {}
        }
    }
}

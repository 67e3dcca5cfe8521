//! NetworkPolicies let through what the manifests declare.
//!
//! ## What it does
//! Reports declared connections that NetworkPolicies block: from an Ingress or a Gateway route to the pods behind its
//! Service, from Prometheus to the port of a `prometheus.io/port` annotation, a ServiceMonitor or a PodMonitor, from a
//! workload to a Service that one of its variables names, and name lookups of a pod that may reach others by name.
//! Both ends are asked: the source's egress and the destination's ingress. Probes come from the pod's own node, which
//! no policy keeps out. Of an ingress controller or a Prometheus outside of the manifests only this much is known: it
//! does not live in `monitoringNamespaces`, or not in `ingressNamespaces`; every other peer may be it. Nothing is said
//! where the manifests hold policies of a network plugin or of a cluster, which may allow what these do not.
//!
//! ## Why it matters
//! A policy that forgets a flow gives time-outs, and only in clusters that enforce policies: never on the machine where
//! it was tried.
//!
//! ## How to mend it
//! Allow the flow in the policy of the end that denies it: the peer and the pod's port, not the Service's port.
//!
//! ## Example
//! ```yaml
//! kind: NetworkPolicy # of the pods behind an Ingress
//! spec:
//!   podSelector: {matchLabels: {app: web}}
//!   ingress:
//!     - ports: [{port: 80}] # reported when the Service's port 80 leads to the pods' port 8080
//! ```

use crate::flows::{Outsider, entries, links, scrapes};
use crate::reach::{Direction, Endpoint, Peer, Pod, Port, PortRule, Reach, Side, has_other_policies};
use crate::rule::{Context, Rule};
use crate::selector::Labels;
use gauntlet_fixtures::manifest::Object;
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule = Rule {
    id: "NET009",
    name: "netpol-blocks-declared-flow",
    parameters: &[
        ("ingressNamespaces", r#"["ingress-nginx", "projectcontour", "traefik", "istio-ingress"]"#),
        ("monitoringNamespaces", r#"["monitoring", "observability", "prometheus"]"#),
    ],
    source: include_str!("netpol_blocks_declared_flow.rs"),
    check,
};

const CONTROLLERS: &[&str] = &["ingress", "traefik", "contour", "envoy", "haproxy", "kong", "nginx", "proxy", "gateway"];
const PROMETHEUS: &[&str] = &["prometheus", "agent", "victoria", "vmagent", "alloy", "collector", "mimir", "telegraf"];

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    if has_other_policies(index) {
        return;
    }
    let reach = Reach::new(index);
    let names = |context: &Context<'_, '_>, parameter: &str| -> HashSet<String> {
        serde_json::from_value(context.parameter(parameter)).unwrap_or_default()
    };
    let controller = Outsider::new(index, CONTROLLERS, names(context, "monitoringNamespaces"));
    let prometheus = Outsider::new(index, PROMETHEUS, names(context, "ingressNamespaces"));
    for (flows, source, who) in [(entries(index), controller, "ingress controller"), (scrapes(index), prometheus, "Prometheus")] {
        for flow in flows {
            if let Side::Denied(policies) = source.may_enter(&reach, flow.to, flow.port) {
                let (to, port) = (flow.to.object.display_name(), flow.port);
                let message = format!("no {who} gets in: {to} has no ingress rule for it on {port}, and is held by {}", list(&policies));
                context.wrong(flow.object, &flow.field, message);
            }
        }
    }
    for link in links(index) {
        let verdict = reach.allowed(&Endpoint::Pod(Pod::of(link.from)), &Endpoint::Pod(Pod::of(link.to)), link.port);
        let denied = [("egress of its pods", &verdict.egress), ("ingress of the destination", &verdict.ingress)];
        for (end, policies) in denied.into_iter().filter_map(|(end, side)| if let Side::Denied(it) = side { Some((end, it)) } else { None }) {
            let (service, to, port) = (&link.service.name, link.to.object.display_name(), link.port);
            let message = format!("Service {service} leads to {to} on {port}, which the {end} does not allow: {}", list(policies));
            context.wrong(link.from.object, &link.field, message);
        }
    }
    for workload in index.workloads() {
        let looks_up = matches!(workload.pod.str_at("dnsPolicy"), None | Some("ClusterFirst"));
        if let Some(policies) = looks_up.then(|| without_lookups(&reach, &Pod::of(workload))).flatten() {
            let message = format!("its pods may reach others, but not look up names: no egress rule for port 53/UDP in {}", list(&policies));
            context.whole(workload.object, message);
        }
    }
}

/// The policies that let a pod out to somebody by name, but not to the cluster's DNS.
fn without_lookups<'a>(reach: &Reach<'_, 'a>, pod: &Pod<'a>) -> Option<Vec<&'a Object>> {
    let (mut isolating, mut needs) = (Vec::new(), false);
    for policy in reach.policies(pod) {
        let Some(rules) = policy.rules(Direction::Egress) else { continue };
        isolating.push(policy.object);
        for rule in rules {
            let peers = rule.peers.as_deref();
            needs |= peers.is_none_or(|peers| peers.iter().any(|peer| matches!(peer, Peer::Pods { .. })));
            let port = rule.ports.as_ref().is_none_or(|ports| ports.iter().any(is_dns));
            if port && peers.is_none_or(|peers| peers.iter().any(|peer| may_be_dns(reach, policy.namespace, peer))) {
                return None;
            }
        }
    }
    (needs && !isolating.is_empty()).then_some(isolating)
}

/// Port 53; 5353 where the pods of the DNS listen there; or their port's usual name.
fn is_dns(rule: &PortRule<'_>) -> bool {
    let has = |number| rule.has(Port { number, protocol: "UDP" }, &[]);
    has(53) || has(5353) || (rule.protocol == "UDP" && rule.name.is_some_and(|name| name.starts_with("dns")))
}

/// The cluster's DNS runs in kube-system with the label k8s-app=kube-dns, or on every node; what else is there is unknown.
fn may_be_dns(reach: &Reach<'_, '_>, own: &str, peer: &Peer<'_>) -> bool {
    match peer {
        Peer::Block(..) => true,
        Peer::Nobody => false,
        Peer::Pods { namespaces, pods, .. } => {
            let at = |namespace: &str, app: &str| {
                let there = match namespaces {
                    Some(selector) => selector.could_match(&reach.namespace_labels(namespace), |_| true),
                    None => own == namespace,
                };
                let labels: Labels<'_> = Labels::from([("k8s-app", app)]);
                there && pods.could_match(&labels, |_| true)
            };
            at("kube-system", "kube-dns") || at("kube-system", "node-local-dns") || at("openshift-dns", "kube-dns")
        }
    }
}

fn list(policies: &[&Object]) -> String {
    let names: Vec<String> = policies.iter().map(|policy| policy.display_name()).collect();
    names.join(", ")
}

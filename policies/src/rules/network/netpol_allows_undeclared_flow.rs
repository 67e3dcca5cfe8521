//! NetworkPolicies allow no more than the manifests declare.
//!
//! ## What it does
//! Reports ingress rules that let all namespaces or all addresses in (`from` is empty, `namespaceSelector: {}` without
//! a `podSelector`, a block of every address) on a port that nothing declares for strangers: no Ingress, no Gateway
//! route, no Service of type NodePort or LoadBalancer, no scrape. Reports ports of ingress rules that none of the
//! selected pods has, where all of them declare their ports. Webhooks and extension API servers are called by the API
//! server and count as declared.
//!
//! ## Why it matters
//! The policy looks like a restriction and is none: whoever breaks into any pod of the cluster reaches this one.
//!
//! ## How to mend it
//! Name the peers that need the port, and remove ports that no pod has.
//!
//! ## Example
//! ```yaml
//! kind: NetworkPolicy
//! spec:
//!   podSelector: {matchLabels: {app: db}}
//!   ingress:
//!     - ports: [{port: 5432}] # reported: `from` is missing, so that everybody reaches the store
//! ```

use crate::flows::{behind, entries, published, scrapes};
use crate::index::Index;
use crate::reach::{Direction, Peer, Policy, Port, PortRule, network_policies};
use crate::rule::{Context, Rule};
use crate::workload::{DeclaredPort, Workload};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET010", name: "netpol-allows-undeclared-flow", parameters: &[], source: include_str!("netpol_allows_undeclared_flow.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    let declared: HashSet<(*const Object, Port<'_>)> = {
        let flows = entries(index).into_iter().chain(scrapes(index)).map(|flow| (flow.to, flow.port));
        flows.chain(published(index)).chain(called(index)).map(|(to, port)| (std::ptr::from_ref(to.object), port)).collect()
    };
    for object in network_policies(index) {
        let policy = Policy::of(object);
        let held = index.select(policy.namespace, &policy.selector).into_iter().filter(|workload| !workload.uses_host_network());
        let held: Vec<(&Workload<'_>, Vec<DeclaredPort<'_>>)> = held.map(|workload| (workload, workload.declared_ports())).collect();
        if held.is_empty() {
            continue;
        }
        for rule in policy.rules(Direction::Ingress).unwrap_or_default() {
            let everybody = rule.peers.as_ref().is_none_or(|peers| peers.iter().any(is_everybody));
            let too_wide = held.iter().find_map(|(workload, ports)| {
                let ports = ports.iter().map(|port| Port { number: port.number, protocol: port.protocol });
                let open = ports.filter(|port| rule.has_port(*port, &workload.declared_ports()));
                let port = { open }.find(|port| !declared.contains(&(std::ptr::from_ref(workload.object), *port)))?;
                Some((workload, port))
            });
            if let Some((workload, port)) = too_wide.filter(|_| everybody) {
                let message = format!("it lets everybody in to {} on {port}, and nothing declares that strangers come there", workload.object.display_name());
                context.wrong(object, rule.field.get("from").as_ref().unwrap_or(&rule.field), message);
            }
            for port in rule.ports.iter().flatten().filter(|_| held.iter().all(|(_, ports)| !ports.is_empty())) {
                if !held.iter().any(|(workload, ports)| ports.iter().any(|known| has(port, known, ports)) || is_used(index, workload, port)) {
                    let shown = port.field.get("port").unwrap_or_else(|| port.field.clone());
                    let message = format!("no pod that it selects has port {} ({})", shown.node, port.protocol);
                    context.wrong(object, &shown, message);
                }
            }
        }
    }
}

fn has(rule: &PortRule<'_>, known: &DeclaredPort<'_>, declared: &[DeclaredPort<'_>]) -> bool {
    rule.has(Port { number: known.number, protocol: known.protocol }, declared)
}

/// True: a probe or a Service uses the port, although no container declares it.
fn is_used(index: &Index<'_>, workload: &Workload<'_>, rule: &PortRule<'_>) -> bool {
    let is = |port: &Field<'_>| port.node.as_i64().and_then(|it| u16::try_from(it).ok()).is_some_and(|number| {
        rule.name.is_none() && rule.has(Port { number, protocol: rule.protocol }, &[])
    });
    let probes = workload.running_containers().into_iter().flat_map(|container| {
        let paths = ["startupProbe", "livenessProbe", "readinessProbe"].into_iter();
        let paths = paths.flat_map(|probe| ["httpGet", "tcpSocket", "grpc"].map(|action| format!("{probe}.{action}.port")));
        paths.filter_map(move |path| container.field.at(&path)).collect::<Vec<_>>()
    });
    let services = index.services(workload).iter().flat_map(|service| Field::root(&service.root).items_at("spec.ports"));
    let targets = services.filter_map(|port| port.get("targetPort").or_else(|| port.get("port")));
    let scraped = workload.template.at("metadata.annotations").and_then(|notes| notes.get("prometheus.io/port")?.str()?.parse::<u16>().ok());
    let scraped = scraped.is_some_and(|number| rule.name.is_none() && rule.has(Port { number, protocol: "TCP" }, &[]));
    scraped || probes.chain(targets).any(|port| is(&port))
}

/// All namespaces, or all addresses.
fn is_everybody(peer: &Peer<'_>) -> bool {
    match peer {
        Peer::Pods { namespaces: Some(namespaces), pods, .. } => namespaces.is_empty() && pods.is_empty(),
        Peer::Block(block, except) => block.is_everything() && except.is_empty(),
        _ => false,
    }
}

/// What the API server calls: webhooks and extension API servers.
fn called<'i, 'a>(index: &'i Index<'a>) -> Vec<(&'i Workload<'a>, Port<'a>)> {
    let hooks = ["ValidatingWebhookConfiguration", "MutatingWebhookConfiguration"].into_iter().flat_map(|kind| index.of_kind(kind).iter());
    let hooks = hooks.flat_map(|hook| Field::root(&hook.root).items_at("webhooks")).filter_map(|hook| hook.at("clientConfig.service"));
    let apis = index.of_kind("APIService").iter().filter_map(|api| Field::root(&api.root).at("spec.service"));
    let names = hooks.chain(apis).filter_map(|service| index.find("Service", service.str_at("namespace")?, service.str_at("name")?));
    names.flat_map(|service| behind(index, service, |_| true)).collect()
}

//! Every monitor of Prometheus finds what it looks for.
//!
//! ## What it does
//! Reports ServiceMonitors whose selector selects no Service, PodMonitors whose selector selects no workload, and
//! endpoints whose port is not a name of a port there. A ServiceMonitor looks at labels of the Service, not of its
//! pods, and by default in its own namespace only. Namespaces of which the manifests hold nothing are left out.
//!
//! ## Why it matters
//! The target never appears in Prometheus: no metrics, and no alert about their absence either.
//!
//! ## How to mend it
//! Put the labels on the Service, name the Service's port, and name other namespaces in `namespaceSelector`.
//!
//! ## Example
//! ```yaml
//! kind: ServiceMonitor
//! spec: {selector: {matchLabels: {app: web}}, endpoints: [{port: metrics}]} # reported: the Service's port is named http
//! ```

use crate::flows::{monitored, services_by_namespace};
use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use crate::selector::{Selector, labels_of};
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule =
    Rule { id: "OBS001", name: "dangling-servicemonitor", parameters: &[], source: include_str!("dangling_servicemonitor.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let index = context.index;
    let services = services_by_namespace(index);
    for monitor in index.of_kind("ServiceMonitor").to_vec() {
        let root = Field::root(&monitor.root);
        let selector = root.at("spec.selector").map(|field| Selector::from_label_selector(&field)).unwrap_or_default();
        let namespaces = monitored(&root, namespace_of(monitor));
        let there: Vec<&Object> = namespaces.iter().flat_map(|namespace| services.get(namespace).into_iter().flatten().copied()).collect();
        let unknown = namespaces.iter().any(|namespace| !services.contains_key(namespace) && index.workloads_in(namespace).next().is_none());
        if namespaces.is_empty() || unknown {
            continue;
        }
        let found: Vec<&&Object> = there.iter().filter(|service| selector.matches(&labels_of(&Field::root(&service.root)))).collect();
        let names = found.iter().flat_map(|service| Field::root(&service.root).items_at("spec.ports"));
        let names = names.filter_map(|port| port.str_at("name")).collect();
        report(context, monitor, "Service", "spec.endpoints", found.is_empty(), names);
    }
    for monitor in index.of_kind("PodMonitor").to_vec() {
        let root = Field::root(&monitor.root);
        let selector = root.at("spec.selector").map(|field| Selector::from_label_selector(&field)).unwrap_or_default();
        let namespaces = monitored(&root, namespace_of(monitor));
        if namespaces.is_empty() || namespaces.iter().any(|namespace| index.workloads_in(namespace).next().is_none()) {
            continue;
        }
        let found: Vec<_> = namespaces.iter().flat_map(|namespace| index.select(namespace, &selector)).collect();
        let names = found.iter().flat_map(|workload| workload.declared_ports()).filter_map(|port| port.name).collect();
        report(context, monitor, "workload", "spec.podMetricsEndpoints", found.is_empty(), names);
    }
}

fn report<'a>(context: &mut Context<'_, 'a>, monitor: &'a Object, what: &str, endpoints: &str, nothing: bool, names: Vec<&str>) {
    let root = Field::root(&monitor.root);
    if nothing {
        if let Some(field) = root.at("spec.selector") {
            context.wrong(monitor, &field, format!("no {what} has the labels {}", field.node));
        }
        return;
    }
    for port in root.items_at(endpoints).iter().filter_map(|endpoint| endpoint.get("port")) {
        if port.str().is_some_and(|name| !names.contains(&name)) {
            let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
            context.wrong(monitor, &port, format!("no {what} that it selects has a port named {}; names there: {known}", port.node));
        }
    }
}

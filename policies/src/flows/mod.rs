//! The connections that manifests declare: what an Ingress or a route sends, what Prometheus scrapes, and whom a
//! workload's own environment names.

mod links;
mod outsider;

pub(crate) use links::links;
pub(crate) use outsider::Outsider;

use crate::index::{Index, namespace_of};
use crate::reach::Port;
use crate::selector::Selector;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// A declared connection into a workload's pods.
pub(crate) struct Declared<'i, 'a> {
    /// Its destination.
    pub to: &'i Workload<'a>,
    /// The pods' port.
    pub port: Port<'a>,
    /// What declares it.
    pub object: &'a Object,
    /// Where it stands.
    pub field: Field<'a>,
}

/// The pods' ports behind a Service's port; for a headless Service its port is the pods'.
pub(crate) fn behind<'i, 'a>(index: &'i Index<'a>, service: &'a Object, is_wanted: impl Fn(&Field<'a>) -> bool) -> Vec<(&'i Workload<'a>, Port<'a>)> {
    let root = Field::root(&service.root);
    let Some(selector) = root.at("spec.selector").map(|field| Selector::from_map(&field)).filter(|it| !it.is_empty()) else {
        return Vec::new();
    };
    let ports = root.items_at("spec.ports").into_iter().filter(is_wanted);
    let workloads = index.select(namespace_of(service), &selector);
    let pairs = ports.flat_map(|port| workloads.iter().map(move |workload| (*workload, port.clone())));
    pairs.filter_map(|(workload, port)| Some((workload, target(workload, &port)?))).collect()
}

/// The port of a workload's pods that a Service's port leads to.
fn target<'a>(workload: &Workload<'a>, port: &Field<'a>) -> Option<Port<'a>> {
    let protocol = port.str_at("protocol").unwrap_or("TCP");
    let target = port.get("targetPort").or_else(|| port.get("port"))?;
    let number = match target.str() {
        Some(name) => workload.declared_ports().into_iter().find(|known| known.name == Some(name) && known.protocol == protocol)?.number,
        None => u16::try_from(target.node.as_i64()?).ok()?,
    };
    Some(Port { number, protocol })
}

/// What Ingresses and Gateway routes send.
pub(crate) fn entries<'i, 'a>(index: &'i Index<'a>) -> Vec<Declared<'i, 'a>> {
    let mut found = Vec::new();
    for object in index.of_kind("Ingress").iter().copied() {
        let root = Field::root(&object.root);
        let paths = root.items_at("spec.rules").into_iter().flat_map(|rule| rule.items_at("http.paths"));
        let backends = paths.filter_map(|path| path.at("backend.service")).chain(root.at("spec.defaultBackend.service"));
        for backend in backends {
            let wanted = ["port", "name"].map(|key| backend.at(if key == "port" { "port.number" } else { "port.name" }).map(|it| (key, it)));
            let Some((key, wanted)) = wanted.into_iter().flatten().next() else { continue };
            add(&mut found, index, object, &backend, namespace_of(object), |port| port.get(key).is_some_and(|it| it.node == wanted.node));
        }
    }
    for kind in ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"] {
        for object in index.of_kind(kind).iter().copied() {
            let rules = Field::root(&object.root).items_at("spec.rules").into_iter();
            for backend in rules.flat_map(|rule| rule.items_at("backendRefs")).filter(|it| it.str_at("kind").unwrap_or("Service") == "Service") {
                let namespace = backend.str_at("namespace").unwrap_or_else(|| namespace_of(object));
                let Some(wanted) = backend.get("port") else { continue };
                add(&mut found, index, object, &backend, namespace, |port| port.get("port").is_some_and(|it| it.node == wanted.node));
            }
        }
    }
    found
}

fn add<'i, 'a>(
    found: &mut Vec<Declared<'i, 'a>>,
    index: &'i Index<'a>,
    object: &'a Object,
    backend: &Field<'a>,
    namespace: &str,
    is_wanted: impl Fn(&Field<'a>) -> bool,
) {
    let Some(field) = backend.get("name") else { return };
    let Some(service) = index.find("Service", namespace, field.str().unwrap_or_default()) else { return };
    let there = behind(index, service, is_wanted).into_iter();
    found.extend(there.map(|(to, port)| Declared { to, port, object, field: field.clone() }));
}

/// What Services of type NodePort and LoadBalancer send.
pub(crate) fn published<'i, 'a>(index: &'i Index<'a>) -> Vec<(&'i Workload<'a>, Port<'a>)> {
    let services = index.of_kind("Service").iter().copied();
    let open = |service: &&Object| matches!(Field::root(&service.root).str_at("spec.type"), Some("NodePort" | "LoadBalancer"));
    services.filter(open).flat_map(|service| behind(index, service, |_| true)).collect()
}

/// What Prometheus asks for metrics: by the annotations of pods, by ServiceMonitors and PodMonitors.
pub(crate) fn scrapes<'i, 'a>(index: &'i Index<'a>) -> Vec<Declared<'i, 'a>> {
    let mut found = Vec::new();
    for workload in index.workloads() {
        let Some(notes) = workload.template.at("metadata.annotations") else { continue };
        let wanted = notes.get("prometheus.io/scrape").is_some_and(|it| it.str() == Some("true"));
        let Some(field) = notes.get("prometheus.io/port").filter(|_| wanted) else { continue };
        if let Some(number) = field.str().and_then(|text| text.parse().ok()) {
            found.push(Declared { to: workload, port: Port { number, protocol: "TCP" }, object: workload.object, field });
        }
    }
    let services = services_by_namespace(index);
    for monitor in index.of_kind("ServiceMonitor").iter().copied() {
        let root = Field::root(&monitor.root);
        let selector = root.at("spec.selector").map(|field| Selector::from_label_selector(&field)).unwrap_or_default();
        for namespace in monitored(&root, namespace_of(monitor)) {
            for service in services.get(namespace).into_iter().flatten() {
                if !selector.matches(&crate::selector::labels_of(&Field::root(&service.root))) {
                    continue;
                }
                for field in root.items_at("spec.endpoints").iter().filter_map(|endpoint| endpoint.get("port")) {
                    let there = behind(index, service, |port| port.str_at("name") == field.str());
                    found.extend(there.into_iter().map(|(to, port)| Declared { to, port, object: monitor, field: field.clone() }));
                }
            }
        }
    }
    for monitor in index.of_kind("PodMonitor").iter().copied() {
        let root = Field::root(&monitor.root);
        let selector = root.at("spec.selector").map(|field| Selector::from_label_selector(&field)).unwrap_or_default();
        for to in monitored(&root, namespace_of(monitor)).into_iter().flat_map(|namespace| index.select(namespace, &selector)) {
            for field in root.items_at("spec.podMetricsEndpoints").iter().filter_map(|endpoint| endpoint.get("port")) {
                let port = to.declared_ports().into_iter().find(|port| port.name == field.str());
                let port = port.map(|port| Port { number: port.number, protocol: port.protocol });
                found.extend(port.map(|port| Declared { to, port, object: monitor, field: field.clone() }));
            }
        }
    }
    found
}

/// The Services of every namespace.
pub(crate) fn services_by_namespace<'a>(index: &Index<'a>) -> HashMap<&'a str, Vec<&'a Object>> {
    let mut services: HashMap<&str, Vec<&Object>> = HashMap::new();
    for service in index.of_kind("Service").iter().copied() {
        services.entry(namespace_of(service)).or_default().push(service);
    }
    services
}

/// The namespaces that a monitor names; none when it looks at all of them.
pub(crate) fn monitored<'a>(monitor: &Field<'a>, own: &'a str) -> Vec<&'a str> {
    let names: Vec<&str> = monitor.items_at("spec.namespaceSelector.matchNames").iter().filter_map(Field::str).collect();
    match monitor.bool_at("spec.namespaceSelector.any") {
        Some(true) => Vec::new(),
        _ if names.is_empty() => vec![own],
        _ => names,
    }
}

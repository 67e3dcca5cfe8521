//! Scrape annotations name a port that the pod has.
//!
//! ## What it does
//! Reports `prometheus.io/port` annotations that are no number, or not the number of a port that the pod's containers
//! declare; on a Service the numbers of its own ports count too. Pods without declared ports are left out. Reports
//! `prometheus.io/scrape: "true"` without a port on pods that declare none: Prometheus finds no target there.
//!
//! ## Why it matters
//! Prometheus asks a port where nothing listens: the target is down, and dashboards are empty.
//!
//! ## How to mend it
//! Write the number of the container's port of the metrics, in quotes.
//!
//! ## Example
//! ```yaml
//! annotations: {prometheus.io/scrape: "true", prometheus.io/port: "9090"} # reported when the pod has port 8080 only
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use crate::selector::Selector;
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule = Rule {
    id: "OBS002",
    name: "scrape-annotations-match-port",
    parameters: &[],
    source: include_str!("scrape_annotations_match_port.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let Some(notes) = workload.template.at("metadata.annotations") else { continue };
        let ports: Vec<i64> = workload.declared_ports().iter().map(|port| i64::from(port.number)).collect();
        judge(context, workload.object, &notes, &ports, "its containers declare");
        if wants(&notes) && notes.get("prometheus.io/port").is_none() && ports.is_empty() {
            context.missing(workload.object, &notes, "prometheus.io/port", "it is to be scraped, but neither a port nor an annotation says where");
        }
    }
    for service in context.index.of_kind("Service").to_vec() {
        let root = Field::root(&service.root);
        let Some(notes) = root.at("metadata.annotations") else { continue };
        let own = root.items_at("spec.ports").into_iter().flat_map(|port| [port.i64_at("port"), port.i64_at("targetPort")]).flatten();
        let selector = root.at("spec.selector").map(|field| Selector::from_map(&field)).filter(|selector| !selector.is_empty());
        let pods = selector.map(|selector| context.index.select(namespace_of(service), &selector)).unwrap_or_default();
        let pods = pods.into_iter().flat_map(|workload| workload.declared_ports()).map(|port| i64::from(port.number));
        let ports: Vec<i64> = own.chain(pods).collect();
        judge(context, service, &notes, &ports, "it and its pods have");
    }
}

fn wants(notes: &Field<'_>) -> bool {
    notes.get("prometheus.io/scrape").is_some_and(|field| field.str() == Some("true") || field.node.as_bool() == Some(true))
}

fn judge<'a>(context: &mut Context<'_, 'a>, object: &'a Object, notes: &Field<'a>, ports: &[i64], whose: &str) {
    let Some(field) = notes.get("prometheus.io/port").filter(|_| wants(notes)) else { return };
    let number = field.node.as_i64().or_else(|| field.str()?.parse().ok());
    match number {
        None => context.wrong(object, &field, format!("prometheus.io/port is {}, expected a number: names are not looked up", field.node)),
        Some(number) if !ports.is_empty() && !ports.contains(&number) => {
            let mut known: Vec<String> = ports.iter().map(i64::to_string).collect();
            known.dedup();
            context.wrong(object, &field, format!("prometheus.io/port is {number}, but {whose}: {}", known.join(", ")));
        }
        Some(_) => {}
    }
}

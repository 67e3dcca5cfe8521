//! Whom a workload's environment names: `http://orders:8080` in a variable is a connection to the Service `orders`.

use super::behind;
use crate::index::Index;
use crate::reach::Port;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::{Field, Object};

/// A connection between two workloads of the manifests.
pub(crate) struct Link<'i, 'a> {
    /// Its source.
    pub from: &'i Workload<'a>,
    /// Its destination.
    pub to: &'i Workload<'a>,
    /// The destination's port.
    pub port: Port<'a>,
    /// The Service in between.
    pub service: &'a Object,
    /// Where it is named: a field of the source.
    pub field: Field<'a>,
}

/// Ports of schemes that are used without one.
const SCHEMES: [(&str, i64); 10] = [
    ("http", 80),
    ("https", 443),
    ("postgres", 5432),
    ("postgresql", 5432),
    ("mysql", 3306),
    ("redis", 6379),
    ("rediss", 6379),
    ("amqp", 5672),
    ("nats", 4222),
    ("mongodb", 27017),
];

/// Every connection that a variable of a container names by itself: its own value, or one key of a ConfigMap. What comes
/// with a whole ConfigMap (`envFrom`) is given to many, and says nothing about one.
pub(crate) fn links<'i, 'a>(index: &'i Index<'a>) -> Vec<Link<'i, 'a>> {
    let mut links = Vec::new();
    for from in index.workloads() {
        for container in from.containers() {
            for variable in container.field.items_at("env") {
                let Some((field, text)) = value(index, from, &variable) else { continue };
                for (service, wanted) in text.split(',').filter_map(|part| named(index, from.namespace, part)) {
                    let there = behind(index, service, |port| port.i64_at("port") == Some(wanted)).into_iter();
                    links.extend(there.map(|(to, port)| Link { from, to, port, service, field: field.clone() }));
                }
            }
        }
    }
    links
}

fn value<'a>(index: &Index<'a>, workload: &Workload<'a>, variable: &Field<'a>) -> Option<(Field<'a>, &'a str)> {
    if let Some(value) = variable.get("value") {
        let text = value.str()?;
        return Some((value, text));
    }
    let key = variable.at("valueFrom.configMapKeyRef.key")?;
    let map = index.find("ConfigMap", workload.namespace, variable.str_at("valueFrom.configMapKeyRef.name")?)?;
    let text = Field::root(&map.root).get("data")?.get(key.str()?)?.str()?;
    Some((key, text))
}

/// The Service and the port that a URL or `host:port` names.
fn named<'a>(index: &Index<'a>, namespace: &str, text: &str) -> Option<(&'a Object, i64)> {
    let (scheme, rest) = text.trim().rsplit_once("://").unwrap_or(("", text.trim()));
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let (host, port) = match host.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (host, SCHEMES.iter().find(|(known, _)| *known == scheme.rsplit(':').next().unwrap_or_default())?.1),
    };
    let host = host.trim_end_matches('.');
    let host = host.strip_suffix(".svc.cluster.local").or_else(|| host.strip_suffix(".svc")).unwrap_or(host);
    let parts: Vec<&str> = host.split('.').collect();
    let service = match parts.as_slice() {
        [name] => index.find("Service", namespace, name),
        // `service.namespace`, or `pod.service` of a headless one.
        [first, second] => index.find("Service", second, first).or_else(|| index.find("Service", namespace, second)),
        [_, name, namespace] => index.find("Service", namespace, name),
        _ => None,
    }?;
    (Field::root(&service.root).str_at("spec.type") != Some("ExternalName")).then_some((service, port))
}

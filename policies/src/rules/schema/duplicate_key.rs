//! No list has two items with the same key.
//!
//! ## What it does
//! Reports items whose key stands in the list a second time, where Kubernetes wants it once: names of a pod's
//! containers and volumes, mount paths and port names of a container, names and numbers of a Service's ports. Reports
//! keys of a ConfigMap or a Secret that stand in both of its maps. A key that stands twice in one YAML mapping is
//! refused by the reader already, with its place.
//!
//! ## Why it matters
//! The API server refuses such an object, and a patch finds the wrong item. In a Secret `stringData` silently wins.
//!
//! ## How to mend it
//! Give the second item a name of its own, or remove it.
//!
//! ## Example
//! ```yaml
//! volumeMounts:
//!   - {name: config, mountPath: /etc/app}
//!   - {name: secrets, mountPath: /etc/app} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SCH006", name: "duplicate-key", parameters: &[], source: include_str!("duplicate_key.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let pod = &workload.pod;
        let containers = [pod.items_at("containers"), pod.items_at("initContainers")].concat();
        once(context, workload.object, containers.iter().filter_map(|it| it.get("name")), "a container");
        once(context, workload.object, pod.items_at("volumes").iter().filter_map(|it| it.get("name")), "a volume");
        for container in containers {
            once(context, workload.object, container.items_at("volumeMounts").iter().filter_map(|it| it.get("mountPath")), "a mount");
            once(context, workload.object, container.items_at("ports").iter().filter_map(|it| it.get("name")), "a port");
        }
    }
    for service in context.index.of_kind("Service").to_vec() {
        let ports = Field::root(&service.root).items_at("spec.ports");
        once(context, service, ports.iter().filter_map(|it| it.get("name")), "a port");
        for protocol in ["TCP", "UDP", "SCTP"] {
            let of = ports.iter().filter(|it| it.str_at("protocol").unwrap_or("TCP") == protocol);
            once(context, service, of.filter_map(|it| it.get("port")), "a port");
        }
    }
    for (kind, other, rule) in [("ConfigMap", "binaryData", "the API server refuses that"), ("Secret", "stringData", "the one in stringData wins")] {
        for object in context.index.of_kind(kind).to_vec() {
            let root = Field::root(&object.root);
            let Some(data) = root.get("data") else { continue };
            for (key, value) in root.get(other).map(|it| it.entries()).unwrap_or_default() {
                if data.get(key).is_some() {
                    context.wrong(object, &value, format!("the key {key} stands in data and in {other}: {rule}"));
                }
            }
        }
    }
}

fn once<'a>(context: &mut Context<'_, 'a>, object: &'a Object, keys: impl Iterator<Item = Field<'a>>, what: &str) {
    let mut seen = HashSet::new();
    for key in keys {
        let text = key.node.to_string();
        if seen.contains(&text) {
            context.wrong(object, &key, format!("{what} with {text} stands here a second time"));
        } else {
            seen.insert(text);
        }
    }
}

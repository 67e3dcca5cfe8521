//! Every Secret and ConfigMap that a pod needs is there.
//!
//! ## What it does
//! Reports references from environment variables and volumes to Secrets and ConfigMaps, or to keys of them, that
//! the manifests do not hold. Optional references are left out; so are names in the parameter `external`, which
//! others create.
//!
//! ## Why it matters
//! The pod stays in CreateContainerConfigError or ContainerCreating, often only at the next rollout.
//!
//! ## How to mend it
//! Add the object or the key, mend the name, or list it under `external` when another system creates it.
//!
//! ## Example
//! ```yaml
//! envFrom:
//!   - secretRef: {name: not-there} # reported
//! ```

use crate::rule::{Context, Rule};
use crate::workload::Workload;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "KEY003", name: "missing-secret-ref", parameters: &[("external", "[]")], source: include_str!("missing_secret_ref.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let external = context.parameter("external");
    let is_external = |name: &str| external.as_array().is_some_and(|names| names.iter().any(|known| known == name));
    for workload in context.index.workloads() {
        for reference in references(workload) {
            let Some(name) = reference.name.str().filter(|name| !is_external(name)) else { continue };
            let kind = reference.kind;
            let Some(object) = context.index.find(kind, workload.namespace, name) else {
                let message = format!("there is no {kind} {name} in namespace {}", workload.namespace);
                context.wrong(workload.object, &reference.name, message);
                continue;
            };
            let root = Field::root(&object.root);
            let has = |key: &str| ["data", "stringData", "binaryData"].iter().any(|part| root.get(part).is_some_and(|part| part.get(key).is_some()));
            for key in reference.keys.iter().filter(|key| key.str().is_some_and(|key| !has(key))) {
                context.wrong(workload.object, key, format!("{kind} {name} has no key {}", key.node));
            }
        }
    }
}

/// One mention of a Secret or ConfigMap that must exist.
struct Reference<'a> {
    kind: &'static str,
    name: Field<'a>,
    keys: Vec<Field<'a>>,
}

fn references<'a>(workload: &Workload<'a>) -> Vec<Reference<'a>> {
    let mut found = Vec::new();
    let mut add = |parent: Option<Field<'a>>, kind, name_key: &str, keys: fn(&Field<'a>) -> Vec<Field<'a>>| {
        let Some(parent) = parent.filter(|parent| parent.bool_at("optional") != Some(true)) else { return };
        if let Some(name) = parent.get(name_key) {
            found.push(Reference { kind, name, keys: keys(&parent) });
        }
    };
    let key = |field: &Field<'a>| field.get("key").into_iter().collect();
    let items = |field: &Field<'a>| field.items_at("items").iter().filter_map(|item| item.get("key")).collect();
    for container in workload.every_container() {
        for variable in container.field.items_at("env") {
            add(variable.at("valueFrom.secretKeyRef"), "Secret", "name", key);
            add(variable.at("valueFrom.configMapKeyRef"), "ConfigMap", "name", key);
        }
        for source in container.field.items_at("envFrom") {
            add(source.get("secretRef"), "Secret", "name", |_| Vec::new());
            add(source.get("configMapRef"), "ConfigMap", "name", |_| Vec::new());
        }
    }
    for volume in workload.pod.items_at("volumes") {
        add(volume.get("secret"), "Secret", "secretName", items);
        add(volume.get("configMap"), "ConfigMap", "name", items);
        for source in volume.items_at("projected.sources") {
            add(source.get("secret"), "Secret", "name", items);
            add(source.get("configMap"), "ConfigMap", "name", items);
        }
    }
    found
}

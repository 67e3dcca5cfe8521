//! No two Services do the same.
//!
//! ## What it does
//! Reports Services of one namespace with equal selectors, of the same type, both headless or both not, that lead to
//! the same port of the pods. A headless Service beside a plain one and Services for different ports are no twins.
//!
//! ## Why it matters
//! Clients use one of them, changes go to the other: one was forgotten, or its selector was copied and not adapted, so
//! that it sends its clients to the wrong pods.
//!
//! ## How to mend it
//! Remove one, or give it the selector of its own pods.
//!
//! ## Example
//! ```yaml
//! {kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
//! {kind: Service, metadata: {name: api}, spec: {selector: {app: web}, ports: [{port: 80}]}} # reported
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET013", name: "duplicate-service-selector", parameters: &[], source: include_str!("duplicate_service_selector.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let mut seen: HashMap<_, &Object> = HashMap::new();
    for service in context.index.of_kind("Service").to_vec() {
        let root = Field::root(&service.root);
        let kind = root.str_at("spec.type").unwrap_or("ClusterIP");
        let Some(selector) = root.at("spec.selector").filter(|selector| !selector.entries().is_empty() && kind != "ExternalName") else { continue };
        let mut labels: Vec<(&str, String)> = selector.entries().into_iter().map(|(key, value)| (key, value.node.to_string())).collect();
        labels.sort_unstable();
        let headless = root.str_at("spec.clusterIP") == Some("None");
        let mut twin = None;
        for port in root.items_at("spec.ports") {
            let target = port.get("targetPort").or_else(|| port.get("port")).map(|target| target.node.to_string());
            let protocol = port.str_at("protocol").unwrap_or("TCP");
            let first = *seen.entry((namespace_of(service), labels.clone(), kind, headless, target, protocol)).or_insert(service);
            if !std::ptr::eq(first, service) {
                twin = Some(first);
            }
        }
        if let Some(first) = twin {
            context.wrong(service, &selector, format!("Service {} has this selector and leads to the same port", first.name));
        }
    }
}

//! Every host and path leads to one place.
//!
//! ## What it does
//! Reports paths that stand twice for one host and one class of controller, in one Ingress or in several, of any
//! namespace. An exact path beside the same prefix is no twin: the exact one wins. `/a` and `/a/` are one prefix.
//! Canaries by annotation are meant to be twins.
//!
//! ## Why it matters
//! Which one wins depends on the controller and on the age of the objects; after a restore it may be the other.
//!
//! ## How to mend it
//! Remove one, or give it its own path.
//!
//! ## Example
//! ```yaml
//! {host: shop.example.org, http: {paths: [{path: /, pathType: Prefix}]}}
//! {host: shop.example.org, http: {paths: [{path: /, pathType: Prefix}]}} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "ING003", name: "duplicate-host-path", parameters: &[], source: include_str!("duplicate_host_path.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let mut seen: HashMap<_, &Object> = HashMap::new();
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let root = Field::root(&ingress.root);
        let note = |key: &str| root.at("metadata.annotations").and_then(|notes| notes.get(key)?.str());
        if note("nginx.ingress.kubernetes.io/canary") == Some("true") {
            continue;
        }
        let class = root.str_at("spec.ingressClassName").or_else(|| note("kubernetes.io/ingress.class")).unwrap_or_default();
        for rule in root.items_at("spec.rules") {
            let host = rule.str_at("host").unwrap_or_default().to_ascii_lowercase();
            for path in rule.items_at("http.paths") {
                let kind = path.str_at("pathType").unwrap_or("ImplementationSpecific");
                let text = path.str_at("path").unwrap_or("/");
                let normal = if kind == "Prefix" { text.trim_end_matches('/') } else { text };
                let shown = path.get("path").unwrap_or_else(|| path.clone());
                match seen.get(&(class, host.clone(), kind, normal)) {
                    Some(first) => {
                        let host = if host.is_empty() { "every host" } else { &host };
                        context.wrong(ingress, &shown, format!("{kind} path {text} of {host} is served by {} already", first.display_name()));
                    }
                    None => drop(seen.insert((class, host.clone(), kind, normal), ingress)),
                }
            }
        }
    }
}

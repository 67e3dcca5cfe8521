//! Every path of an Ingress leads to a Service's port.
//!
//! ## What it does
//! Reports backends of an Ingress whose Service, or whose Service's port, is not in the manifests of its namespace.
//!
//! ## Why it matters
//! Clients get 503 on that path.
//!
//! ## How to mend it
//! Mend the Service's name or its port; backends are looked for in the Ingress' own namespace.
//!
//! ## Example
//! ```yaml
//! backend: {service: {name: web, port: {number: 8080}}} # reported: the Service has port 80
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET005", name: "dangling-ingress", parameters: &[], source: include_str!("dangling_ingress.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let root = Field::root(&ingress.root);
        let paths = root.items_at("spec.rules").into_iter().flat_map(|rule| rule.items_at("http.paths"));
        let backends = paths.filter_map(|path| path.at("backend.service")).chain(root.at("spec.defaultBackend.service"));
        for backend in backends {
            let Some(name) = backend.get("name") else { continue };
            let text = name.str().unwrap_or_default();
            let namespace = namespace_of(ingress);
            let Some(service) = context.index.find("Service", namespace, text) else {
                context.wrong(ingress, &name, format!("there is no Service {text} in namespace {namespace}"));
                continue;
            };
            let ports = Field::root(&service.root).items_at("spec.ports");
            for key in ["number", "name"] {
                let Some(wanted) = backend.at(&format!("port.{key}")) else { continue };
                let known = if key == "number" { "port" } else { "name" };
                if !ports.iter().any(|port| port.get(known).is_some_and(|port| port.node == wanted.node)) {
                    context.wrong(ingress, &wanted, format!("Service {text} has no port {}", wanted.node));
                }
            }
        }
    }
}

//! Every Gateway route leads from a listener to a Service's port.
//!
//! ## What it does
//! Reports routes of the Gateway API whose backend Service or its port is not in the manifests, backends in another
//! namespace without a ReferenceGrant there, and parents that do not exist: a Gateway in a namespace whose Gateways are
//! in the manifests, or a `sectionName` that its Gateway does not have.
//!
//! ## Why it matters
//! Clients get 500 on that route, or the route is never attached; only its status says so.
//!
//! ## How to mend it
//! Mend the name, the port or the section; for another namespace add a ReferenceGrant in it.
//!
//! ## Example
//! ```yaml
//! backendRefs: [{name: web, namespace: shop, port: 80}] # reported when shop grants no reference to this namespace
//! ```

use crate::index::{Index, namespace_of};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule =
    Rule { id: "ING004", name: "dangling-gateway-route", parameters: &[], source: include_str!("dangling_gateway_route.rs"), check };

const KINDS: [&str; 5] = ["HTTPRoute", "GRPCRoute", "TLSRoute", "TCPRoute", "UDPRoute"];

fn check(context: &mut Context<'_, '_>) {
    for kind in KINDS {
        for route in context.index.of_kind(kind).to_vec() {
            let root = Field::root(&route.root);
            for backend in root.items_at("spec.rules").iter().flat_map(|rule| rule.items_at("backendRefs")) {
                check_backend(context, route, &backend);
            }
            for parent in root.items_at("spec.parentRefs") {
                check_parent(context, route, &parent);
            }
        }
    }
}

fn check_backend<'a>(context: &mut Context<'_, 'a>, route: &'a Object, backend: &Field<'a>) {
    let service = backend.str_at("kind").unwrap_or("Service") == "Service" && backend.str_at("group").unwrap_or_default().is_empty();
    let Some(name) = backend.get("name").filter(|_| service) else { return };
    let (own, text) = (namespace_of(route), name.str().unwrap_or_default());
    let namespace = backend.str_at("namespace").unwrap_or(own);
    if namespace != own && context.index.workloads_in(namespace).next().is_none() {
        return;
    }
    let Some(service) = context.index.find("Service", namespace, text) else {
        context.wrong(route, &name, format!("there is no Service {text} in namespace {namespace}"));
        return;
    };
    match backend.get("port") {
        None => context.missing(route, backend, "port", "the port of the Service is missing"),
        Some(port) => {
            let ports = Field::root(&service.root).items_at("spec.ports");
            if !ports.iter().any(|known| known.get("port").is_some_and(|known| known.node == port.node)) {
                context.wrong(route, &port, format!("Service {text} has no port {}", port.node));
            }
        }
    }
    if namespace != own && !is_granted(context.index, route, namespace, text) {
        context.wrong(route, &name, format!("no ReferenceGrant in namespace {namespace} lets a {} of namespace {own} use Service {text}", route.kind));
    }
}

fn is_granted(index: &Index<'_>, route: &Object, namespace: &str, service: &str) -> bool {
    let mut grants = index.of_kind("ReferenceGrant").iter().filter(|grant| namespace_of(grant) == namespace).map(|grant| Field::root(&grant.root));
    grants.any(|grant| {
        let from = grant.items_at("spec.from").iter().any(|from| {
            from.str_at("namespace") == Some(namespace_of(route)) && from.str_at("kind") == Some(&route.kind) && from.str_at("group") == Some(route.group())
        });
        from && grant.items_at("spec.to").iter().any(|to| to.str_at("kind") == Some("Service") && to.str_at("name").is_none_or(|name| name == service))
    })
}

fn check_parent<'a>(context: &mut Context<'_, 'a>, route: &'a Object, parent: &Field<'a>) {
    let Some(name) = parent.get("name").filter(|_| parent.str_at("kind").unwrap_or("Gateway") == "Gateway") else { return };
    let (namespace, text) = (parent.str_at("namespace").unwrap_or_else(|| namespace_of(route)), name.str().unwrap_or_default());
    let Some(gateway) = context.index.find("Gateway", namespace, text) else {
        if context.index.of_kind("Gateway").iter().any(|gateway| namespace_of(gateway) == namespace) {
            context.wrong(route, &name, format!("there is no Gateway {text} in namespace {namespace}"));
        }
        return;
    };
    let listeners = Field::root(&gateway.root).items_at("spec.listeners");
    if let Some(section) = parent.get("sectionName").filter(|section| !listeners.iter().any(|listener| listener.str_at("name") == section.str())) {
        context.wrong(route, &section, format!("Gateway {text} has no listener {}", section.node));
    }
}

//! Every Service has pods behind it.
//!
//! ## What it does
//! Reports Services whose selector selects no workload of their namespace. Services without a selector and of type
//! ExternalName are left out.
//!
//! ## Why it matters
//! Clients get connection errors while everything looks healthy.
//!
//! ## How to mend it
//! Make the selector equal to labels of the pod template, in the same namespace.
//!
//! ## Example
//! ```yaml
//! kind: Service
//! spec: {selector: {app: wbe}} # reported: the pods are labelled app=web
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use crate::selector::Selector;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET002", name: "dangling-service", parameters: &[], source: include_str!("dangling_service.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for service in context.index.of_kind("Service").to_vec() {
        let Some(field) = Field::root(&service.root).at("spec.selector") else { continue };
        let selector = Selector::from_map(&field);
        let is_external = Field::root(&service.root).str_at("spec.type") == Some("ExternalName");
        if selector.is_empty() || is_external {
            continue;
        }
        let namespace = namespace_of(service);
        if context.index.select(namespace, &selector).is_empty() {
            context.wrong(service, &field, format!("no workload in namespace {namespace} has the labels {}", field.node));
        }
    }
}

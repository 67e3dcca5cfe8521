//! Every Ingress says which hosts it serves.
//!
//! ## What it does
//! Reports rules of Ingresses without a host or with a wildcard host, and HTTPRoutes with a wildcard hostname.
//!
//! ## Why it matters
//! It answers for names that nobody meant: of other teams, of attackers who point their own domain here.
//!
//! ## How to mend it
//! Name the host.
//!
//! ## Example
//! ```yaml
//! rules: [{host: "*.example.org"}] # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "ING002", name: "wildcard-host", parameters: &[], source: include_str!("wildcard_host.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for ingress in context.index.of_kind("Ingress").to_vec() {
        for rule in Field::root(&ingress.root).items_at("spec.rules") {
            match rule.get("host").filter(|host| host.str() != Some("")) {
                None => context.missing(ingress, &rule, "host", "a rule without a host answers for every host"),
                Some(host) if host.str().is_some_and(|text| text.starts_with('*')) => {
                    context.wrong(ingress, &host, format!("host {} stands for many", host.node));
                }
                Some(_) => {}
            }
        }
    }
    for route in context.index.of_kind("HTTPRoute").to_vec() {
        // Without hostnames a route serves those of its Gateway's listener.
        for host in Field::root(&route.root).items_at("spec.hostnames") {
            if host.str().is_some_and(|text| text.starts_with('*')) {
                context.wrong(route, &host, format!("hostname {} stands for many", host.node));
            }
        }
    }
}

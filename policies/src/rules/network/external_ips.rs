//! No Service takes traffic for addresses of its own choice.
//!
//! ## What it does
//! Reports Services with `externalIPs`.
//!
//! ## Why it matters
//! Nobody checks whether the address is theirs: whoever may write a Service can take the cluster's traffic for any
//! address to a pod of their own (CVE-2020-8554).
//!
//! ## How to mend it
//! Use type LoadBalancer, an Ingress or a Gateway, whose addresses the cluster's administrators give.
//!
//! ## Example
//! ```yaml
//! kind: Service
//! spec: {externalIPs: [203.0.113.7]} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "NET012", name: "external-ips", parameters: &[], source: include_str!("external_ips.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for service in context.index.of_kind("Service").to_vec() {
        for address in Field::root(&service.root).items_at("spec.externalIPs") {
            context.wrong(service, &address, format!("it takes the traffic of address {}", address.node));
        }
    }
}

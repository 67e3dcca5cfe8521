//! Every host of an Ingress is served with TLS.
//!
//! ## What it does
//! Reports hosts of an Ingress' rules that none of its `tls` entries covers. `*.example.org` covers one label; an
//! entry without hosts covers all.
//!
//! ## Why it matters
//! Without TLS, passwords and sessions cross the network in the clear.
//!
//! ## How to mend it
//! Add the host to a `tls` entry with the Secret of its certificate.
//!
//! ## Example
//! ```yaml
//! spec:
//!   tls: [{hosts: [shop.example.org], secretName: shop-tls}]
//!   rules: [{host: api.example.org}] # reported
//! ```

use crate::rule::{Context, Rule};
use crate::rules::ingress::hosts::covers;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET004", name: "ingress-tls", parameters: &[], source: include_str!("ingress_tls.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let root = Field::root(&ingress.root);
        let tls = root.items_at("spec.tls");
        let covers_all = tls.iter().any(|entry| entry.items_at("hosts").is_empty());
        let hosts: Vec<&str> = tls.iter().flat_map(|entry| entry.items_at("hosts")).filter_map(|host| host.str()).collect();
        for rule in root.items_at("spec.rules") {
            match rule.get("host") {
                _ if covers_all => {}
                Some(host) if hosts.iter().any(|known| covers(known, host.str().unwrap_or_default())) => {}
                Some(host) => context.wrong(ingress, &host, format!("host {} is served without TLS", host.node)),
                None => context.wrong(ingress, &rule, "requests for any host are served without TLS"),
            }
        }
        if tls.is_empty() && root.at("spec.rules").is_none() {
            context.whole(ingress, "it serves without TLS");
        }
    }
}

//! Certificates are for the hosts that are served.
//!
//! ## What it does
//! Reports hosts of an Ingress' `tls` entries that no rule serves, where there is no default backend, and hosts that
//! the cert-manager Certificate of the entry's Secret does not name. `*.example.org` stands for one label.
//!
//! ## Why it matters
//! A host with a typing error in `tls` has a certificate that nobody asks for, while the served one shows a wrong
//! certificate to every client.
//!
//! ## How to mend it
//! Write the same host in `tls`, in the rule and in the Certificate's `dnsNames`.
//!
//! ## Example
//! ```yaml
//! tls: [{hosts: [shpo.example.org], secretName: shop-tls}] # reported
//! rules: [{host: shop.example.org}]
//! ```

use super::hosts::covers;
use crate::index::{Index, namespace_of};
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;
use std::collections::HashMap;

/// The rule.
pub const RULE: Rule =
    Rule { id: "ING001", name: "tls-host-mismatch", parameters: &[], source: include_str!("tls_host_mismatch.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let certificates = certificates(context.index);
    for ingress in context.index.of_kind("Ingress").to_vec() {
        let root = Field::root(&ingress.root);
        let rules = root.items_at("spec.rules");
        let served: Vec<Option<&str>> = rules.iter().map(|rule| rule.str_at("host").filter(|host| !host.is_empty())).collect();
        // Without rules everything goes to the default backend; a rule without a host serves every host.
        let serves_all = served.is_empty() || served.contains(&None) || root.at("spec.defaultBackend").is_some();
        for entry in root.items_at("spec.tls") {
            let secret = entry.str_at("secretName").unwrap_or_default();
            for host in entry.items_at("hosts") {
                let text = host.str().unwrap_or_default();
                if !serves_all && !served.iter().flatten().any(|known| covers(text, known) || covers(known, text)) {
                    context.wrong(ingress, &host, format!("no rule serves host {text}"));
                }
                let names = certificates.get(&(namespace_of(ingress), secret));
                if names.is_some_and(|names| !names.iter().any(|name| covers(name, text))) {
                    context.wrong(ingress, &host, format!("the Certificate for Secret {secret} is not for host {text}"));
                }
            }
        }
    }
}

/// The names of cert-manager's Certificates, by namespace and Secret.
fn certificates<'a>(index: &Index<'a>) -> HashMap<(&'a str, &'a str), Vec<&'a str>> {
    let mut found: HashMap<_, Vec<_>> = HashMap::new();
    for certificate in index.of_kind("Certificate").iter().filter(|certificate| certificate.group() == "cert-manager.io") {
        let root = Field::root(&certificate.root);
        let names = root.items_at("spec.dnsNames").into_iter().chain(root.at("spec.commonName"));
        let Some(secret) = root.str_at("spec.secretName") else { continue };
        found.entry((namespace_of(certificate), secret)).or_default().extend(names.filter_map(|name| name.str()));
    }
    found
}

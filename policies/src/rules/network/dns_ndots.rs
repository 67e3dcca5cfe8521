//! Names outside of the cluster are found at once.
//!
//! ## What it does
//! Reports long-running workloads with the cluster's DNS (`dnsPolicy` unset, ClusterFirst or ClusterFirstWithHostNet)
//! that leave `ndots` at Kubernetes' default of 5, or set it above `maximum` (2).
//!
//! ## Why it matters
//! With 5, a name such as `api.example.org` is tried with every search domain first: four lookups that fail before the
//! one that counts, and that many times the load on the cluster's DNS.
//!
//! ## How to mend it
//! Set `dnsConfig: {options: [{name: ndots, value: "2"}]}`: names like `service` and `service.namespace` still work.
//!
//! ## Example
//! ```yaml
//! spec: {containers: [{name: web, image: web:1.0}]} # reported: no dnsConfig
//! ```
//!
//! ## Off by default
//! It costs time only for programs that look up many names outside of the cluster.

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule { id: "NET014", name: "dns-ndots", parameters: &[("maximum", "2")], source: include_str!("dns_ndots.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let maximum = context.number("maximum");
    for workload in context.index.workloads().iter().filter(|workload| workload.is_long_running() && !workload.is_windows()) {
        let policy = match workload.pod.str_at("dnsPolicy") {
            // In the node's network ClusterFirst means the node's DNS.
            None | Some("ClusterFirst") => !workload.uses_host_network(),
            other => other == Some("ClusterFirstWithHostNet"),
        };
        if !policy {
            continue;
        }
        let options = workload.pod.items_at("dnsConfig.options");
        match options.iter().find(|option| option.str_at("name") == Some("ndots")) {
            None => context.missing(workload.object, &workload.pod, "dnsConfig.options", format!("ndots is 5 by default, expected at most {maximum}")),
            Some(option) => {
                let value = option.get("value").unwrap_or_else(|| option.clone());
                if value.str().and_then(|text| text.parse::<i64>().ok()).is_some_and(|ndots| ndots > maximum) {
                    context.wrong(workload.object, &value, format!("ndots is {}, expected at most {maximum}", value.node));
                }
            }
        }
    }
}

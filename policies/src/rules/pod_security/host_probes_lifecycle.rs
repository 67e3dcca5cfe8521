//! Probes and lifecycle hooks ask the pod itself, not another host.
//!
//! ## What it does
//! Reports a `host` in the `httpGet` and `tcpSocket` of probes and of `postStart` and `preStop`, as the baseline Pod
//! Security Standard does from Kubernetes 1.34. A `Host` header under `httpHeaders` is something else and allowed.
//!
//! ## Why it matters
//! The kubelet asks from the node's network: with a host in it, a probe reaches what no NetworkPolicy lets the pod reach.
//!
//! ## How to mend it
//! Remove `host`: the pod's own address is the default. For a virtual host set a header named `Host`.
//!
//! ## Example
//! ```yaml
//! livenessProbe:
//!   httpGet: {host: 169.254.169.254, path: /, port: 80} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC017", name: "host-probes-lifecycle", parameters: &[], source: include_str!("host_probes_lifecycle.rs"), check };

const HANDLERS: [&str; 5] = ["livenessProbe", "readinessProbe", "startupProbe", "lifecycle.postStart", "lifecycle.preStop"];

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            for handler in HANDLERS {
                let Some(parent) = container.field.at(handler) else { continue };
                for action in ["httpGet", "tcpSocket"] {
                    let host = parent.get(action).and_then(|action| action.get("host"));
                    if let Some(host) = host.filter(|host| host.str() != Some("")) {
                        let message = format!("the {handler} of container {} asks the host {}", container.name, host.node);
                        context.wrong(workload.object, &host, message);
                    }
                }
            }
        }
    }
}

//! Probes ask a port that the container has.
//!
//! ## What it does
//! Reports probes on a named port that their container does not declare, and on a number that is not among its
//! declared ports where any are declared.
//!
//! ## Why it matters
//! Such a readiness probe never succeeds, so the rollout hangs; such a liveness probe restarts a healthy pod for
//! ever.
//!
//! ## How to mend it
//! Use the name of the container's port in the probe.
//!
//! ## Example
//! ```yaml
//! ports: [{name: http, containerPort: 8080}]
//! readinessProbe: {httpGet: {path: /ready, port: 8081}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL008", name: "probe-port-exists", parameters: &[], source: include_str!("probe_port_exists.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for container in workload.containers() {
            let ports = container.ports();
            for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
                for action in ["httpGet", "tcpSocket", "grpc"] {
                    let Some(port) = container.field.at(&format!("{probe}.{action}.port")) else { continue };
                    let found = match (port.str(), port.node.as_i64()) {
                        (Some(name), _) => ports.iter().any(|(_, known)| *known == Some(name)),
                        (_, Some(number)) => ports.is_empty() || ports.iter().any(|(known, _)| *known == number),
                        _ => true,
                    };
                    if !found {
                        let known: Vec<String> = ports.iter().map(|(number, name)| format!("{number} ({})", name.unwrap_or("no name"))).collect();
                        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                        let message = format!("{probe} asks port {}, but container {} declares: {known}", port.node, container.name);
                        context.wrong(workload.object, &port, message);
                    }
                }
            }
        }
    }
}

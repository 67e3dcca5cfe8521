//! Probes are patient enough to be right.
//!
//! ## What it does
//! Reports liveness probes that restart a container at the first missed answer (`failureThreshold: 1`), liveness and
//! readiness probes that wait for an answer longer than their period, and what the API server refuses: a
//! `successThreshold` other than 1 for liveness and startup, and a termination grace period of a readiness probe. A
//! startup probe may ask often and wait long: the next question comes after the answer.
//!
//! ## Why it matters
//! One slow answer is a garbage collection or a busy node, and the restart costs more than it mends. A time-out above
//! the period makes the period a fiction: failure is noticed later than it says.
//!
//! ## How to mend it
//! Give liveness at least two failures, and keep `timeoutSeconds` at or below `periodSeconds`.
//!
//! ## Automatic fix
//! Writes `successThreshold: 1` where nothing else is possible, and removes a readiness probe's grace period.
//!
//! ## Example
//! ```yaml
//! livenessProbe: {httpGet: {path: /live, port: http}, failureThreshold: 1} # reported
//! ```

use crate::fix::{remove, replace};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule { id: "AVL014", name: "probe-timing", parameters: &[], source: include_str!("probe_timing.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for container in workload.containers() {
            for name in ["startupProbe", "livenessProbe", "readinessProbe"] {
                let Some(probe) = container.field.get(name) else { continue };
                let period = probe.i64_at("periodSeconds").unwrap_or(10);
                let mut found = Vec::new();
                let timeout = probe.get("timeoutSeconds").filter(|_| name != "startupProbe");
                if let Some(field) = timeout.filter(|field| field.node.as_i64().is_some_and(|timeout| timeout > period)) {
                    found.push((field.clone(), None, format!("waits {} s for an answer, and asks every {period} s", field.node)));
                }
                if let Some(field) = probe.get("failureThreshold").filter(|field| name == "livenessProbe" && field.node.as_i64() == Some(1)) {
                    found.push((field, None, "restarts the container at the first missed answer".to_owned()));
                }
                let successes = probe.get("successThreshold").filter(|_| name != "readinessProbe");
                if let Some(field) = successes.filter(|field| field.node.as_i64().is_some_and(|successes| successes != 1)) {
                    found.push((field.clone(), replace(&field, 1), format!("successThreshold is {}, and must be 1 here", field.node)));
                }
                if let Some(field) = probe.get("terminationGracePeriodSeconds").filter(|_| name == "readinessProbe") {
                    found.push((field, remove(&probe, "terminationGracePeriodSeconds"), "it ends no container, so it has no grace period".to_owned()));
                }
                for (field, edit, message) in found {
                    context.wrong(workload.object, &field, format!("{name} of container {}: {message}", container.name));
                    context.fix("The API server refuses the probe as it stands: no pod runs with it.", [edit]);
                }
            }
        }
    }
}

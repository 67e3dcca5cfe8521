//! A pod that is busy is spared before it is killed.
//!
//! ## What it does
//! Reports, for pods behind a Service, liveness probes that ask exactly what the readiness probe of the container asks
//! and give up as soon or sooner: `failureThreshold` times `periodSeconds` is not above the readiness probe's.
//!
//! ## Why it matters
//! Under load a pod answers late. It should lose its traffic first and recover; with equal probes it is restarted
//! at that moment, and its load falls on the others, which are restarted next.
//!
//! ## How to mend it
//! Ask something cheaper, or give the liveness probe a higher `failureThreshold`.
//!
//! ## Example
//! ```yaml
//! readinessProbe: {httpGet: {path: /health, port: http}}
//! livenessProbe: {httpGet: {path: /health, port: http}} # reported
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL013", name: "probes-identical", parameters: &[], source: include_str!("probes_identical.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| !context.index.services(workload).is_empty()) {
        for container in workload.containers() {
            let (Some(live), Some(ready)) = (container.field.get("livenessProbe"), container.field.get("readinessProbe")) else { continue };
            let same = |action: &str| live.get(action).is_some_and(|own| ready.get(action).is_some_and(|other| own.node == other.node));
            let (patience, other) = (patience(&live), patience(&ready));
            if patience <= other && ["httpGet", "tcpSocket", "grpc", "exec"].into_iter().any(same) {
                let message = format!("container {}: asks what readinessProbe asks, and gives up after {patience} s, not later than its {other} s", container.name);
                context.wrong(workload.object, &live, message);
            }
        }
    }
}

/// Seconds of failure until a probe acts.
fn patience(probe: &Field<'_>) -> i64 {
    let number = |key: &str, default| probe.i64_at(key).unwrap_or(default);
    number("failureThreshold", 3).saturating_mul(number("periodSeconds", 10))
}

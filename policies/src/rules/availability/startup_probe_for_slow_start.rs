//! A program that starts slowly has a startup probe.
//!
//! ## What it does
//! Reports containers with a liveness probe and without a startup probe whose own settings say that they start slowly:
//! the liveness probe waits `seconds` (30) or more before its first question, or it may end the container before the
//! readiness probe asks for the first time.
//!
//! ## Why it matters
//! A fixed delay is a guess: on a busy node it is too short, and the container is restarted for ever; everywhere else
//! it is too long, and a program that hangs after its start is noticed late.
//!
//! ## How to mend it
//! Move the patience into a `startupProbe` with a high `failureThreshold`; the others begin when it has succeeded.
//!
//! ## Example
//! ```yaml
//! livenessProbe: {httpGet: {path: /live, port: http}, initialDelaySeconds: 120} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "AVL015",
    name: "startup-probe-for-slow-start",
    parameters: &[("seconds", "30")],
    source: include_str!("startup_probe_for_slow_start.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let slow = context.number("seconds");
    for workload in context.index.workloads() {
        for container in workload.running_containers() {
            let Some(live) = container.field.get("livenessProbe").filter(|_| container.field.get("startupProbe").is_none()) else { continue };
            let number = |key: &str, default| live.i64_at(key).unwrap_or(default);
            let delay = number("initialDelaySeconds", 0);
            let end = number("periodSeconds", 10).saturating_mul(number("failureThreshold", 3)).saturating_add(delay);
            let ready = container.field.i64_at("readinessProbe.initialDelaySeconds").unwrap_or(0);
            let name = container.name;
            if delay >= slow {
                let field = live.get("initialDelaySeconds").unwrap_or(live);
                let message = format!("container {name} is given {delay} s to start by a delay, expected a startupProbe");
                context.wrong(workload.object, &field, message);
            } else if ready >= end {
                let message = format!("container {name} may be restarted after {end} s, before the readinessProbe asks at {ready} s: expected a startupProbe");
                context.wrong(workload.object, &live, message);
            }
        }
    }
}

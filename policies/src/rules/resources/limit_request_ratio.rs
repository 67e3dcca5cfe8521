//! No container may use many times what it asks for.
//!
//! ## What it does
//! Reports containers whose limit is more than `cpu` (10) or `memory` (4) times their request.
//!
//! ## Why it matters
//! The scheduler counts requests. Where limits are far above them, a node promises its memory several times over, and
//! pods are killed on the day that they all need it.
//!
//! ## How to mend it
//! Raise the request to what the container uses under load, or lower the limit.
//!
//! ## Example
//! ```yaml
//! resources: {requests: {memory: 64Mi}, limits: {memory: 1Gi}} # reported: 16 times
//! ```

use crate::amount::Amount;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RES007",
    name: "limit-request-ratio",
    parameters: &[("cpu", "10"), ("memory", "4")],
    source: include_str!("limit_request_ratio.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    for resource in ["cpu", "memory"] {
        let most = context.parameter(resource).as_f64().unwrap_or(f64::MAX);
        for workload in context.index.workloads() {
            for container in workload.containers() {
                let of = |key: &str| container.field.at(&format!("resources.{key}.{resource}"));
                let (Some(request), Some(limit)) = (of("requests"), of("limits")) else { continue };
                let (Some(asked), Some(allowed)) = (Amount::of(&request), Amount::of(&limit)) else { continue };
                if let Some(ratio) = allowed.ratio_to(asked).filter(|ratio| *ratio > most) {
                    let name = container.name;
                    let message = format!("container {name} may use {allowed} of {resource}, {ratio:.1} times its request of {asked}");
                    context.wrong(workload.object, &limit, message);
                }
            }
        }
    }
}

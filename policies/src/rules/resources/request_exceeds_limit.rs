//! No container asks for more than it may use.
//!
//! ## What it does
//! Reports requests above the limit of the same resource, and limits for resources that cannot be shared (huge pages
//! and devices) that differ from the request.
//!
//! ## Why it matters
//! The API server refuses the pod: the Deployment is there, its pods never are.
//!
//! ## How to mend it
//! Raise the limit or lower the request. Mind the units: `1G` is less than `1Gi`, and `500` CPU is not `500m`.
//!
//! ## Example
//! ```yaml
//! resources: {requests: {cpu: "1"}, limits: {cpu: 500m}} # reported
//! ```

use crate::quantity::Quantity;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES011", name: "request-exceeds-limit", parameters: &[], source: include_str!("request_exceeds_limit.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.containers() {
            let Some(resources) = container.field.get("resources") else { continue };
            let requests = resources.get("requests").map(|requests| requests.entries()).unwrap_or_default();
            for (resource, request) in requests {
                let Some(limit) = resources.get("limits").and_then(|limits| limits.get(resource)) else { continue };
                let (Some(asked), Some(allowed)) = (Quantity::of(&request), Quantity::of(&limit)) else { continue };
                // Names with a slash are devices; both are given as a whole.
                let is_whole = resource.starts_with("hugepages-") || resource.contains('/');
                if asked > allowed {
                    let message = format!("container {} requests {asked} of {resource} and is limited to {allowed}", container.name);
                    context.wrong(workload.object, &request, message);
                } else if is_whole && asked != allowed {
                    let message = format!("container {} must request all of the {allowed} of {resource}, not {asked}", container.name);
                    context.wrong(workload.object, &request, message);
                }
            }
        }
    }
}

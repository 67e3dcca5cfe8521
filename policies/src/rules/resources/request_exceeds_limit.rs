//! No container asks for more than it may use.
//!
//! ## What it does
//! Reports requests above the limit of the same resource. Huge pages and devices cannot be shared: for them a request
//! that differs from the limit, or that has none, is reported too.
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

use crate::amount::Amount;
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
                // Names with a slash are devices; both are given as a whole.
                let is_whole = resource.starts_with("hugepages-") || resource.contains('/');
                let limit = resources.get("limits").and_then(|limits| limits.get(resource));
                let Some(asked) = Amount::of(&request) else { continue };
                let complaint = match limit.as_ref().map(Amount::of) {
                    Some(Some(allowed)) if asked > allowed => format!("and is limited to {allowed}"),
                    Some(Some(allowed)) if is_whole && asked != allowed => format!("but must request all of its limit of {allowed}"),
                    None if is_whole => "without a limit, which must be the same".to_owned(),
                    _ => continue,
                };
                let message = format!("container {} requests {asked} of {resource} {complaint}", container.name);
                context.wrong(workload.object, &request, message);
            }
        }
    }
}

//! Every container is promised the memory that it may use.
//!
//! ## What it does
//! Reports containers whose request for memory is less than their limit. A limit without a request is the request.
//!
//! ## Why it matters
//! Memory cannot be taken back: when pods use more than they requested, the node runs full and the kernel kills one.
//!
//! ## How to mend it
//! Set the request to the limit.
//!
//! ## Example
//! ```yaml
//! resources: {requests: {memory: 128Mi}, limits: {memory: 512Mi}} # reported
//! ```
//!
//! ## Off by default
//! Many a service needs its peak for a minute a day, and nobody pays for it all day.

use crate::amount::Amount;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    id: "RES005",
    name: "memory-request-equals-limit",
    parameters: &[],
    source: include_str!("memory_request_equals_limit.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for container in workload.containers() {
            let of = |key: &str| container.field.at(&format!("resources.{key}.memory"));
            let (Some(request), Some(limit)) = (of("requests"), of("limits")) else { continue };
            if let (Some(asked), Some(allowed)) = (Amount::of(&request), Amount::of(&limit))
                && asked < allowed
            {
                let message = format!("container {} requests {asked} of memory and may use {allowed}", container.name);
                context.wrong(workload.object, &request, message);
            }
        }
    }
}

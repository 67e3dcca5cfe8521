//! Containers keep within the LimitRange of their namespace.
//!
//! ## What it does
//! Reports requests below a LimitRange's `min`, limits above its `max`, limits more than `maxLimitRequestRatio` times
//! the request, and requests above the limit that the LimitRange gives a container without one.
//!
//! ## Why it matters
//! The API server refuses such pods: the Deployment is there, its pods never are.
//!
//! ## How to mend it
//! Bring the request and the limit into the range, or widen the range.
//!
//! ## Example
//! ```yaml
//! kind: LimitRange
//! spec: {limits: [{type: Container, max: {memory: 1Gi}}]} # containers with a limit of 2Gi are reported
//! ```

use crate::demand::{Kind, Ranges};
use crate::amount::Amount;
use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES013", name: "limit-range-breach", parameters: &[], source: include_str!("limit_range_breach.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let ranges = Ranges::new(context.index);
    for workload in context.index.workloads() {
        for limit in ranges.of(workload.namespace) {
            for container in workload.containers() {
                let amount = |kind: Kind, resource: &str| ranges.of_container(workload.namespace, container, kind, resource);
                for (kind, resource, complaint) in breaches(limit, &amount) {
                    let message = format!("container {} {complaint}", container.name);
                    let path = format!("resources.{}.{resource}", kind.key());
                    match container.field.get("resources").and_then(|own| own.get(kind.key())?.get(resource)) {
                        Some(field) => context.wrong(workload.object, &field, message),
                        None => context.missing(workload.object, &container.field, &path, message),
                    }
                }
            }
        }
    }
}

/// What is outside of the range, with the part of `resources` that shows it.
fn breaches<'a>(limit: &Field<'a>, amount: &dyn Fn(Kind, &str) -> Option<Amount>) -> Vec<(Kind, &'a str, String)> {
    let bounds = |key: &str| {
        let bounds = limit.get(key).map(|bounds| bounds.entries()).unwrap_or_default();
        bounds.into_iter().filter_map(|(resource, bound)| Some((resource, Amount::of(&bound)?)))
    };
    let mut found = Vec::new();
    for (resource, least) in bounds("min") {
        if let Some(asked) = amount(Kind::Requests, resource).filter(|asked| *asked < least) {
            found.push((Kind::Requests, resource, format!("requests {asked} of {resource}, less than {least}")));
        }
    }
    for (resource, most) in bounds("max") {
        if let Some(allowed) = amount(Kind::Limits, resource).filter(|allowed| *allowed > most) {
            found.push((Kind::Limits, resource, format!("has a limit of {allowed} of {resource}, more than {most}")));
        }
    }
    for (resource, most) in bounds("maxLimitRequestRatio") {
        let (Some(asked), Some(allowed)) = (amount(Kind::Requests, resource), amount(Kind::Limits, resource)) else { continue };
        if let (Some(ratio), Some(most)) = (allowed.ratio_to(asked), Amount::parse("1").and_then(|one| most.ratio_to(one)))
            && ratio > most
        {
            found.push((Kind::Limits, resource, format!("may use {ratio:.1} times its request for {resource}, more than {most} times")));
        }
    }
    for (resource, given) in bounds("default").chain(bounds("max")) {
        // A limit of its own that is too small is another rule's.
        let (Some(asked), Some(allowed)) = (amount(Kind::Requests, resource), amount(Kind::Limits, resource)) else { continue };
        if allowed == given && asked > allowed && !found.iter().any(|(_, known, _)| *known == resource) {
            found.push((Kind::Requests, resource, format!("requests {asked} of {resource}, and the limit is {given} by default")));
        }
    }
    found
}

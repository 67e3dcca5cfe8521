//! Pods are restarted as their controller wants it.
//!
//! ## What it does
//! Reports pod templates of Deployments, StatefulSets, DaemonSets, ReplicaSets and ReplicationControllers with another
//! `restartPolicy` than Always, those of Jobs and CronJobs without OnFailure or Never (unset is Always), and init
//! containers with a policy that does not exist.
//!
//! ## Why it matters
//! The API server refuses such an object, at deploy time; a CronJob is refused where it is made, not where it runs.
//!
//! ## How to mend it
//! Remove `restartPolicy` from templates that run on and on, and set it in Jobs.
//!
//! ## Automatic fix
//! Writes `Always` in templates of Deployments and the like, where nothing else is possible.
//!
//! ## Example
//! ```yaml
//! kind: Job
//! spec: {template: {spec: {containers: [{name: once, image: once:1.0}]}}} # reported: restartPolicy is Always
//! ```

use crate::fix::replace;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule = Rule { id: "SCH009", name: "restart-policy", parameters: &[], source: include_str!("restart_policy.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let allowed: &[&str] = match workload.object.kind.as_str() {
            "Pod" => &["Always", "OnFailure", "Never"],
            "Job" | "CronJob" => &["OnFailure", "Never"],
            _ => &["Always"],
        };
        let kind = &workload.object.kind;
        let expected = allowed.join(" or ");
        match workload.pod.get("restartPolicy") {
            Some(field) if !allowed.iter().any(|known| field.str() == Some(known)) => {
                context.wrong(workload.object, &field, format!("restartPolicy is {}, and must be {expected} in a {kind}", field.node));
                if allowed == ["Always"] {
                    context.fix("The API server takes no other value here, and the controller knows none.", [replace(&field, "Always")]);
                }
            }
            None if !allowed.contains(&"Always") => {
                context.missing(workload.object, &workload.pod, "restartPolicy", format!("unset is Always, and must be {expected} in a {kind}"));
            }
            _ => {}
        }
        for container in workload.pod.items_at("initContainers") {
            // OnFailure and Never came later, for containers with rules of their own.
            let field = container.get("restartPolicy").filter(|field| !matches!(field.str(), Some("Always" | "OnFailure" | "Never")));
            if let Some(field) = field {
                context.wrong(workload.object, &field, format!("restartPolicy of an init container is {}, expected Always", field.node));
            }
        }
    }
}

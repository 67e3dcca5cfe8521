//! A pod goes on serving until nobody sends to it any more.
//!
//! ## What it does
//! Reports containers of Deployments behind a Service that have a port and no `preStop` hook. Sidecars and stores in
//! StatefulSets are left out.
//!
//! ## Why it matters
//! The signal to stop and the news that the pod is gone start at the same moment. A program that stops listening at
//! once refuses the requests that proxies still send: every rollout and every scale-down costs errors.
//!
//! ## How to mend it
//! Wait a few seconds in `lifecycle: {preStop: {sleep: {seconds: 5}}}`, or let the program do that at the signal.
//!
//! ## Example
//! ```yaml
//! containers:
//!   - {name: web, image: 'web:1.0', ports: [{containerPort: 8080}]} # reported: no lifecycle.preStop
//! ```
//!
//! ## Off by default
//! A program that goes on serving for a while after the signal needs no hook, and manifests do not say whether it does.

use crate::rule::{Context, Rule};
use crate::workload::Role;

/// The rule.
pub const RULE: Rule = Rule { id: "AVL018", name: "pre-stop-hook", parameters: &[], source: include_str!("pre_stop_hook.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "Deployment") {
        if context.index.services(workload).is_empty() {
            continue;
        }
        for container in workload.containers().iter().filter(|container| container.role == Role::Main) {
            if !container.ports().is_empty() && container.field.at("lifecycle.preStop").is_none() {
                let message = format!("container {} stops listening while requests are still sent to it: no preStop hook", container.name);
                context.missing(workload.object, &container.field, "lifecycle.preStop", message);
            }
        }
    }
}

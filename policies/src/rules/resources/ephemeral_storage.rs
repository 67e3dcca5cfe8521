//! Every container says how much of its node's disk it uses.
//!
//! ## What it does
//! Reports containers without a request and a limit for `ephemeral-storage`, where no LimitRange of the namespace
//! gives them. The limit alone is enough: it is the request too.
//!
//! ## Why it matters
//! Logs, written layers and `emptyDir` volumes fill the node's disk; then the kubelet evicts pods, and not always the
//! one that wrote.
//!
//! ## How to mend it
//! Set `resources.limits.ephemeral-storage`, and a smaller request when the container seldom needs it all.
//!
//! ## Example
//! ```yaml
//! resources: {limits: {memory: 128Mi}} # reported: no ephemeral-storage
//! ```
//!
//! ## Off by default
//! Few programs write to their node's disk.

use crate::demand::{Kind, Ranges};
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "RES006", name: "ephemeral-storage", parameters: &[], source: include_str!("ephemeral_storage.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let ranges = Ranges::new(context.index);
    for workload in context.index.workloads() {
        for container in workload.containers() {
            let lacks = |kind: &Kind| !ranges.says(workload, container, *kind, "ephemeral-storage");
            if let Some(kind) = [Kind::Requests, Kind::Limits].into_iter().find(lacks) {
                let message = format!("container {} has no {} for ephemeral-storage", container.name, kind.key());
                let key = format!("resources.{}.ephemeral-storage", kind.key());
                context.missing(workload.object, &container.field, &key, message);
            }
        }
    }
}

//! What is mounted of a node is mounted read-only.
//!
//! ## What it does
//! Reports containers that mount a `hostPath` volume without `readOnly: true`.
//!
//! ## Why it matters
//! Who writes to the node's files changes its programs, its schedules and other pods' data.
//!
//! ## How to mend it
//! Set `readOnly: true` in the volume mount; write to an `emptyDir` or a claim.
//!
//! ## Example
//! ```yaml
//! volumeMounts: [{name: logs, mountPath: /logs}] # reported when logs is a hostPath volume
//! ```

use crate::rule::{Context, Rule};
use std::collections::HashSet;

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC022", name: "writable-host-mount", parameters: &[], source: include_str!("writable_host_mount.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        let volumes = workload.pod.items_at("volumes");
        let of_host = volumes.iter().filter(|volume| volume.get("hostPath").is_some());
        let names: HashSet<&str> = of_host.filter_map(|volume| volume.str_at("name")).collect();
        if names.is_empty() {
            continue;
        }
        for container in workload.every_container() {
            for mount in container.field.items_at("volumeMounts") {
                let Some(name) = mount.get("name") else { continue };
                if name.str().is_some_and(|name| names.contains(name)) && mount.bool_at("readOnly") != Some(true) {
                    let message = format!("container {} may write to the node through volume {}", container.name, name.node);
                    context.wrong(workload.object, &name, message);
                }
            }
        }
    }
}

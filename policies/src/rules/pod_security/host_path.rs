//! No pod mounts a path of its node.
//!
//! ## What it does
//! Reports volumes of type `hostPath`.
//!
//! ## Why it matters
//! A path of the node outlives the pod, is not there on the next node, and is a way out of the container.
//!
//! ## How to mend it
//! Use a PersistentVolumeClaim for data that stays and an `emptyDir` for data that does not.
//!
//! ## Example
//! ```yaml
//! volumes:
//!   - {name: sock, hostPath: {path: /var/run}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC004", name: "host-path", parameters: &[], source: include_str!("host_path.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for volume in workload.pod.items_at("volumes") {
            if let Some(field) = volume.get("hostPath") {
                let path = field.str_at("path").unwrap_or("?");
                let name = volume.str_at("name").unwrap_or("?");
                context.wrong(workload.object, &field, format!("volume {name} mounts {path} of the node"));
            }
        }
    }
}

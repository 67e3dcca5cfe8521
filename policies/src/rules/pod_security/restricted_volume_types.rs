//! Pods mount only volumes that come through Kubernetes.
//!
//! ## What it does
//! Reports volumes of other types than `configMap`, `csi`, `downwardAPI`, `emptyDir`, `ephemeral`, `image`,
//! `persistentVolumeClaim`, `projected` and `secret`, as the restricted Pod Security Standard does. A volume without a
//! type is an `emptyDir`.
//!
//! ## Why it matters
//! The other types name a server or a disk in the pod itself, past StorageClasses and past who may claim what.
//!
//! ## How to mend it
//! Put the storage behind a PersistentVolume and mount a claim.
//!
//! ## Example
//! ```yaml
//! volumes:
//!   - {name: data, nfs: {server: 10.0.0.5, path: /}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC019", name: "restricted-volume-types", parameters: &[], source: include_str!("restricted_volume_types.rs"), check };

const ALLOWED: [&str; 9] =
    ["configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret"];

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for volume in workload.pod.items_at("volumes") {
            let types: Vec<_> = volume.entries().into_iter().filter(|(key, field)| *key != "name" && !field.node.is_null()).collect();
            if types.iter().any(|(key, _)| ALLOWED.contains(key)) {
                continue;
            }
            if let Some((kind, field)) = types.first() {
                let name = volume.str_at("name").unwrap_or("?");
                context.wrong(workload.object, field, format!("volume {name} is of the type {kind}"));
            }
        }
    }
}

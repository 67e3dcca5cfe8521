//! Every pod has a controller.
//!
//! ## What it does
//! Reports Pods that stand alone. Pods with an owner, pods that run once (`restartPolicy` Never or OnFailure) and
//! static pods of a node are left out.
//!
//! ## Why it matters
//! Nobody makes a naked pod again when its node goes: it is gone after a drain.
//!
//! ## How to mend it
//! Use a Deployment, a StatefulSet, a DaemonSet or a Job.
//!
//! ## Example
//! ```yaml
//! kind: Pod # reported
//! metadata: {name: web}
//! ```

use crate::rule::{Context, Rule};
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule { id: "AVL021", name: "naked-pod", parameters: &[], source: include_str!("naked_pod.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "Pod") {
        let metadata = Field::root(&workload.object.root).get("metadata");
        let owned = metadata.as_ref().is_some_and(|metadata| !metadata.items_at("ownerReferences").is_empty());
        let notes = metadata.and_then(|metadata| metadata.get("annotations"));
        let is_static = notes.is_some_and(|notes| ["kubernetes.io/config.source", "kubernetes.io/config.mirror"].iter().any(|key| notes.get(key).is_some()));
        if workload.is_long_running() && !owned && !is_static {
            context.whole(workload.object, "no controller makes this pod again when its node goes");
        }
    }
}

//! Every scratch volume is bounded.
//!
//! ## What it does
//! Reports `emptyDir` volumes without `sizeLimit`. A `sizeLimit` of zero means none.
//!
//! ## Why it matters
//! A program that writes without end fills its node's disk, and the kubelet evicts other pods with it. In memory
//! (`medium: Memory`) what is written counts as the container's memory, and may take half of the node's.
//!
//! ## How to mend it
//! Set `sizeLimit` to what the program may write.
//!
//! ## Example
//! ```yaml
//! volumes: [{name: tmp, emptyDir: {}}] # reported
//! ```

use crate::amount::Amount;
use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO005", name: "emptydir-size-limit", parameters: &[], source: include_str!("emptydir_size_limit.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        for volume in workload.pod.items_at("volumes") {
            let Some(scratch) = volume.get("emptyDir") else { continue };
            let name = volume.str_at("name").unwrap_or_default();
            match scratch.get("sizeLimit") {
                None => context.missing(workload.object, &scratch, "sizeLimit", format!("volume {name} may fill its node")),
                Some(field) if Amount::of(&field).is_some_and(|size| size <= Amount::default()) => {
                    context.wrong(workload.object, &field, format!("volume {name} may fill its node: {} means no limit", field.node));
                }
                Some(_) => {}
            }
        }
    }
}

//! Containers do not write to their own image.
//!
//! ## What it does
//! Reports containers without `readOnlyRootFilesystem: true`. Windows pods are left out.
//!
//! ## Why it matters
//! A writable root lets an intruder keep tools, and hides data that is lost with the container.
//!
//! ## How to mend it
//! Set `readOnlyRootFilesystem: true` and mount an `emptyDir` where the program writes, such as /tmp.
//!
//! ## Example
//! ```yaml
//! securityContext: {readOnlyRootFilesystem: false} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC008", name: "read-only-root-fs", parameters: &[], source: include_str!("read_only_root_fs.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods().filter(|workload| !workload.is_windows()) {
        for container in workload.every_container() {
            match container.field.at("securityContext.readOnlyRootFilesystem") {
                Some(field) if field.node.as_bool() == Some(true) => {}
                Some(field) => context.wrong(workload.object, &field, format!("container {} writes to its root", container.name)),
                None => {
                    let message = format!("container {} may write to its root file system", container.name);
                    context.missing(workload.object, &container.field, "securityContext.readOnlyRootFilesystem", message);
                }
            }
        }
    }
}

//! No Windows container is a process of its node.
//!
//! ## What it does
//! Reports `windowsOptions.hostProcess: true` of pods and containers, as the baseline Pod Security Standard does.
//!
//! ## Why it matters
//! A HostProcess container runs on the Windows node itself, with its files, its network and its rights.
//!
//! ## How to mend it
//! Remove the field. What must manage nodes belongs in a namespace of its own.
//!
//! ## Example
//! ```yaml
//! securityContext: {windowsOptions: {hostProcess: true}} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC010", name: "host-process", parameters: &[], source: include_str!("host_process.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for (who, security) in workload.security_contexts() {
            if let Some(field) = security.at("windowsOptions.hostProcess").filter(|field| field.node.as_bool() == Some(true)) {
                context.wrong(workload.object, &field, format!("{who} runs as a process of its node"));
            }
        }
    }
}

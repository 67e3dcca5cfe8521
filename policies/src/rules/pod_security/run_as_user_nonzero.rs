//! No container is told to run as user 0.
//!
//! ## What it does
//! Reports `runAsUser: 0` of pods and containers, as the restricted Pod Security Standard does from Kubernetes 1.23.
//! A user that is not set is the image's. A pod with `hostUsers: false` is left out from 1.35: its root is nobody on
//! the node.
//!
//! ## Why it matters
//! User 0 is root, whatever user the image was built for.
//!
//! ## How to mend it
//! Remove `runAsUser`, or set it to the user that the image was built for.
//!
//! ## Example
//! ```yaml
//! spec:
//!   securityContext: {runAsUser: 0} # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC020", name: "run-as-user-nonzero", parameters: &[], source: include_str!("run_as_user_nonzero.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    for workload in context.index.pods().filter(|workload| !workload.is_relaxed_by_user_namespace(kubernetes)) {
        for (who, security) in workload.security_contexts() {
            if let Some(user) = security.get("runAsUser").filter(|user| user.node.as_i64() == Some(0)) {
                context.wrong(workload.object, &user, format!("{who} runs as user 0"));
            }
        }
    }
}

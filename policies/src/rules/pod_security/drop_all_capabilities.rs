//! Containers keep no capability that they do not need.
//!
//! ## What it does
//! Reports containers that do not drop `ALL` capabilities, and those that add one other than `NET_BIND_SERVICE`, as
//! the restricted Pod Security Standard does. Windows pods are left out from
//! Kubernetes 1.25.
//!
//! ## Why it matters
//! The default set lets a container forge packets, change owners and bypass file permissions.
//!
//! ## How to mend it
//! Set `capabilities: {drop: [ALL]}`; add back NET_BIND_SERVICE only for ports below 1024.
//!
//! ## Example
//! ```yaml
//! capabilities: {drop: [NET_RAW]} # reported: ALL is not dropped
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC006", name: "drop-all-capabilities", parameters: &[], source: include_str!("drop_all_capabilities.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    for workload in context.index.pods().filter(|workload| !workload.is_exempt_as_windows(kubernetes)) {
        for container in workload.every_container() {
            let name = container.name;
            let capabilities = container.field.at("securityContext.capabilities");
            let list = |key: &str| capabilities.as_ref().map(|field| field.items_at(key)).unwrap_or_default();
            if !list("drop").iter().any(|item| item.str() == Some("ALL")) {
                let message = format!("container {name} does not drop ALL capabilities");
                let parent = capabilities.as_ref().unwrap_or(&container.field);
                let key = if capabilities.is_some() { "drop" } else { "securityContext.capabilities.drop" };
                context.missing(workload.object, parent, key, message);
            }
            for item in list("add").iter().filter(|item| item.str() != Some("NET_BIND_SERVICE")) {
                context.wrong(workload.object, item, format!("container {name} adds the capability {}", item.node));
            }
        }
    }
}

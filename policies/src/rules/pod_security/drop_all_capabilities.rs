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
//! ## Automatic fix
//! Writes `drop: [ALL]` for a container that is surely not root, may gain no privileges, and adds no capability. Writes
//! `ALL` for `all`.
//!
//! ## Example
//! ```yaml
//! capabilities: {drop: [NET_RAW]} # reported: ALL is not dropped
//! ```

use crate::fix::{replace, set};
use crate::rule::{Context, Rule};
use crate::workload::{Container, Workload};

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
                match list("drop").iter().find(|item| item.str().is_some_and(|name| name.eq_ignore_ascii_case("ALL"))) {
                    Some(item) => context.fix("It is the same word: only its spelling is the standard's.", [replace(item, "ALL")]),
                    None if has_none(workload, container) => {
                        let edit = set(&container.field, &["securityContext", "capabilities", "drop"], vec!["ALL"]);
                        context.fix("A process that is not root and gains no privileges has no capability to lose.", [edit]);
                    }
                    None => {}
                }
            }
            for item in list("add").iter().filter(|item| item.str() != Some("NET_BIND_SERVICE")) {
                context.wrong(workload.object, item, format!("container {name} adds the capability {}", item.node));
            }
        }
    }
}

/// True: its processes have no capability today, and cannot get one.
fn has_none(workload: &Workload<'_>, container: &Container<'_>) -> bool {
    let user = container.security(workload, "runAsUser").and_then(|user| user.node.as_i64());
    let non_root = container.security(workload, "runAsNonRoot").and_then(|field| field.node.as_bool()) == Some(true);
    let own = |path: &str| container.field.get("securityContext").and_then(|security| security.at(path));
    let gains = own("allowPrivilegeEscalation").and_then(|field| field.node.as_bool()) != Some(false);
    let touched = own("capabilities.add").is_some() || own("capabilities.drop").is_some();
    (user.is_some_and(|user| user > 0) || (user.is_none() && non_root)) && !gains && !touched && !workload.is_windows()
}

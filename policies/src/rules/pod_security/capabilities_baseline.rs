//! Containers add no capability beyond the runtime's default ones.
//!
//! ## What it does
//! Reports capabilities under `add` that are not among the thirteen that the baseline Pod Security Standard allows.
//! `NET_RAW` is not one of them. `drop-all-capabilities` is stricter and asks for fewer than the default.
//!
//! ## Why it matters
//! With SYS_ADMIN, SYS_PTRACE or NET_ADMIN a container leaves its sandbox or reads other pods' traffic.
//!
//! ## How to mend it
//! Remove it. Names stand without `CAP_`, in capital letters.
//!
//! ## Example
//! ```yaml
//! capabilities: {add: [SYS_ADMIN]} # reported
//! ```
//!
//! ## Off by default
//! `drop-all-capabilities` asks for more.

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC015", name: "capabilities-baseline", parameters: &[], source: include_str!("capabilities_baseline.rs"), check };

const ALLOWED: [&str; 13] = [
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "SETFCAP", "SETGID",
    "SETPCAP", "SETUID", "SYS_CHROOT",
];

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.pods() {
        for container in workload.every_container() {
            for item in container.field.items_at("securityContext.capabilities.add") {
                if !item.str().is_some_and(|name| ALLOWED.contains(&name)) {
                    let message = format!("container {} adds the capability {}", container.name, item.node);
                    context.wrong(workload.object, &item, message);
                }
            }
        }
    }
}

//! Pods set only those kernel parameters that stay in the pod.
//!
//! ## What it does
//! Reports `sysctls` outside of the list that Kubernetes calls safe, as the baseline Pod Security Standard does. The
//! list has grown: `ip_local_reserved_ports` in 1.27, the TCP keepalive and FIN timers in 1.29, `tcp_rmem` and
//! `tcp_wmem` in 1.32.
//!
//! ## Why it matters
//! Other parameters change the node for all its pods, or let one pod take what the others need.
//!
//! ## How to mend it
//! Remove it, or set it on nodes that are kept for this workload.
//!
//! ## Example
//! ```yaml
//! securityContext:
//!   sysctls: [{name: kernel.msgmax, value: "65536"}] # reported
//! ```

use crate::rule::{Context, Rule};

/// The rule.
pub const RULE: Rule =
    Rule { id: "SEC014", name: "unsafe-sysctls", parameters: &[], source: include_str!("unsafe_sysctls.rs"), check };

/// Safe parameters, each with the minor version of Kubernetes whose standard allowed it first.
const SAFE: [(&str, u32); 12] = [
    ("kernel.shm_rmid_forced", 0),
    ("net.ipv4.ip_local_port_range", 0),
    ("net.ipv4.ip_unprivileged_port_start", 0),
    ("net.ipv4.ping_group_range", 0),
    ("net.ipv4.tcp_syncookies", 0),
    ("net.ipv4.ip_local_reserved_ports", 27),
    ("net.ipv4.tcp_fin_timeout", 29),
    ("net.ipv4.tcp_keepalive_intvl", 29),
    ("net.ipv4.tcp_keepalive_probes", 29),
    ("net.ipv4.tcp_keepalive_time", 29),
    ("net.ipv4.tcp_rmem", 32),
    ("net.ipv4.tcp_wmem", 32),
];

fn check(context: &mut Context<'_, '_>) {
    let kubernetes = context.kubernetes;
    for workload in context.index.pods() {
        for sysctl in workload.pod.items_at("securityContext.sysctls") {
            let name = sysctl.str_at("name").unwrap_or_default();
            let since = SAFE.iter().find(|(safe, _)| *safe == name).map(|(_, since)| *since);
            if since.is_some_and(|since| kubernetes.is_at_least(since)) {
                continue;
            }
            let message = match since {
                Some(since) => format!("the kernel parameter {name} is safe from Kubernetes 1.{since}, not in {kubernetes}"),
                None => format!("the kernel parameter {name:?} is not one of the safe ones"),
            };
            let field = sysctl.get("name").unwrap_or(sysctl);
            context.wrong(workload.object, &field, message);
        }
    }
}

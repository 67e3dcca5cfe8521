//! Services send to ports that their pods have.
//!
//! ## What it does
//! Reports target ports that a selected workload does not have: names that no container port carries, and numbers
//! that are not among the declared ones where any are declared.
//!
//! ## Why it matters
//! A port name without a counterpart leaves the endpoint out; a wrong number refuses connections.
//!
//! ## How to mend it
//! Name the container port and use that name as `targetPort`.
//!
//! ## Example
//! ```yaml
//! ports:
//!   - {port: 80, targetPort: htpp} # reported: the container's port is named http
//! ```

use crate::index::namespace_of;
use crate::rule::{Context, Rule};
use crate::selector::Selector;
use crate::workload::Container;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "NET003", name: "invalid-target-port", parameters: &[], source: include_str!("invalid_target_port.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for service in context.index.of_kind("Service").to_vec() {
        let root = Field::root(&service.root);
        let Some(selector) = root.at("spec.selector").map(|field| Selector::from_map(&field)) else { continue };
        if selector.is_empty() {
            continue;
        }
        let workloads = context.index.select(namespace_of(service), &selector);
        for port in root.items_at("spec.ports") {
            // Without a targetPort the Service's own port is meant.
            let Some(target) = port.get("targetPort").or_else(|| port.get("port")) else { continue };
            for workload in &workloads {
                let ports: Vec<_> = workload.running_containers().iter().flat_map(Container::ports).collect();
                let found = match (target.str(), target.node.as_i64()) {
                    (Some(name), _) => ports.iter().any(|(_, known)| *known == Some(name)),
                    (_, Some(number)) => ports.is_empty() || ports.iter().any(|(known, _)| *known == number),
                    _ => true,
                };
                if !found {
                    let message = format!("{} {} has no port {}", workload.object.kind, workload.object.name, target.node);
                    context.wrong(service, &target, message);
                }
            }
        }
    }
}

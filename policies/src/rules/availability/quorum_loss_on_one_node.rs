//! No node holds two members of a quorum.
//!
//! ## What it does
//! Reports StatefulSets of three or more members of a store that votes (known by its image, or by the label
//! `app.kubernetes.io/component: quorum`) that neither a required pod anti-affinity nor a spread constraint with
//! `DoNotSchedule` and `maxSkew: 1` keeps apart by `topologyKey` (`kubernetes.io/hostname`) or by zone. A preferred
//! anti-affinity keeps nothing apart when a node is full.
//!
//! ## Why it matters
//! With two of three members on one node, the loss of that node takes the majority: the store stops although a member
//! is left, and a restart on another node waits for the lost node's volumes.
//!
//! ## How to mend it
//! Require the anti-affinity for the pods' own labels.
//!
//! ## Example
//! ```yaml
//! kind: StatefulSet # image etcd, 3 replicas
//! spec: {template: {spec: {affinity: {podAntiAffinity: {preferredDuringSchedulingIgnoredDuringExecution: []}}}}} # reported
//! ```

use super::quorum_engines::is_quorum_engine;
use crate::rule::{Context, Rule};
use crate::selector::Selector;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule = Rule {
    id: "AVL025",
    name: "quorum-loss-on-one-node",
    parameters: &[("topologyKey", "\"kubernetes.io/hostname\"")],
    source: include_str!("quorum_loss_on_one_node.rs"),
    check,
};

fn check(context: &mut Context<'_, '_>) {
    let key = context.parameter("topologyKey");
    let key = key.as_str().unwrap_or_default();
    for workload in context.index.workloads().iter().filter(|workload| workload.object.kind == "StatefulSet") {
        let Some(members) = context.index.fewest_replicas(workload).filter(|members| *members > 2) else { continue };
        let containers = workload.containers();
        let image = containers.first().and_then(|container| container.field.str_at("image")).unwrap_or_default();
        let votes = is_quorum_engine(image) || workload.labels.get("app.kubernetes.io/component") == Some(&"quorum");
        if votes && !is_apart(workload, key) {
            let message = format!("two of its {members} members may share one value of {key}, and with it the majority may go");
            let shown = workload.pod.at("affinity.podAntiAffinity").or_else(|| workload.pod.get("topologySpreadConstraints"));
            match shown {
                Some(field) => context.wrong(workload.object, &field, message),
                None => context.missing(workload.object, &workload.pod, "affinity.podAntiAffinity", message),
            }
        }
    }
}

fn is_apart(workload: &Workload<'_>, key: &str) -> bool {
    let apart = workload.pod.items_at("affinity.podAntiAffinity.requiredDuringSchedulingIgnoredDuringExecution").into_iter();
    let spread = workload.pod.items_at("topologySpreadConstraints").into_iter().filter(|constraint| {
        let hard = constraint.str_at("whenUnsatisfiable").unwrap_or("DoNotSchedule") == "DoNotSchedule";
        hard && constraint.i64_at("maxSkew") == Some(1)
    });
    apart.chain(spread).any(|term: Field<'_>| {
        // Pods in different zones are on different nodes.
        let zones = key == "kubernetes.io/hostname" && term.get("maxSkew").is_none();
        let fits = |known: &str| known == key || (zones && known == "topology.kubernetes.io/zone");
        term.str_at("topologyKey").is_some_and(fits)
            && term.get("labelSelector").is_some_and(|field| Selector::from_label_selector(&field).matches(&workload.labels))
    })
}

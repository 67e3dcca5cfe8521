//! Pods of one workload do not share one node.
//!
//! ## What it does
//! Reports Deployments and StatefulSets that run at least two pods and have neither a pod anti-affinity nor a
//! topology spread constraint that selects their own pods.
//!
//! ## Why it matters
//! The scheduler may put all pods on one node, and the loss of that node is then an outage.
//!
//! ## How to mend it
//! Add a topology spread constraint or a pod anti-affinity whose label selector fits the pod template's labels.
//!
//! ## Example
//! ```yaml
//! topologySpreadConstraints:
//!   - {topologyKey: kubernetes.io/hostname, maxSkew: 1, whenUnsatisfiable: DoNotSchedule,
//!      labelSelector: {matchLabels: {app: other}}} # reported: selects other pods
//! ```

use crate::rule::{Context, Rule};
use crate::selector::Selector;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::Field;

/// The rule.
pub const RULE: Rule =
    Rule { id: "AVL005", name: "anti-affinity-or-spread", parameters: &[], source: include_str!("anti_affinity_or_spread.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let kind = matches!(workload.object.kind.as_str(), "Deployment" | "StatefulSet");
        if !kind || context.index.fewest_replicas(workload).is_none_or(|replicas| replicas < 2) {
            continue;
        }
        let terms = terms(workload);
        let selects = |term: &Field<'_>| {
            let selector = term.get("labelSelector").map(|field| Selector::from_label_selector(&field));
            selector.is_some_and(|selector| selector.matches(&workload.labels))
        };
        if terms.is_empty() {
            context.missing(workload.object, &workload.pod, "topologySpreadConstraints", "nothing keeps its pods apart");
        } else if !terms.iter().any(selects) {
            context.wrong(workload.object, &terms[0], "what should keep its pods apart selects other pods");
        }
    }
}

fn terms<'a>(workload: &Workload<'a>) -> Vec<Field<'a>> {
    let base = "affinity.podAntiAffinity";
    let required = workload.pod.items_at(&format!("{base}.requiredDuringSchedulingIgnoredDuringExecution"));
    let preferred = workload.pod.items_at(&format!("{base}.preferredDuringSchedulingIgnoredDuringExecution"));
    let preferred = preferred.iter().filter_map(|term| term.get("podAffinityTerm"));
    required.into_iter().chain(preferred).chain(workload.pod.items_at("topologySpreadConstraints")).collect()
}

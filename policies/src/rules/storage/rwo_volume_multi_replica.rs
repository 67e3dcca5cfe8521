//! A volume for one node is not shared by pods of several.
//!
//! ## What it does
//! Reports workloads whose pods share a claim with the access modes ReadWriteOnce or ReadWriteOncePod only: Deployments
//! and StatefulSets that run several pods at once (the HPA's maximum counts), DaemonSets, and Deployments with one pod
//! whose rollout starts the new pod before the old one has gone. Claims of a StatefulSet's own templates are one for
//! each pod. Pods that a required pod affinity binds to one node may share ReadWriteOnce.
//!
//! ## Why it matters
//! The volume is attached to one node. Pods on other nodes wait for it, for ever: a scale-up or a rollout hangs, and
//! only when the scheduler happens to choose another node.
//!
//! ## How to mend it
//! Use ReadWriteMany, a StatefulSet with claim templates, or for one pod `strategy: {type: Recreate}`.
//!
//! ## Example
//! ```yaml
//! kind: Deployment # replicas: 3, and claim data is ReadWriteOnce
//! spec: {template: {spec: {volumes: [{name: data, persistentVolumeClaim: {claimName: data}}]}}} # reported
//! ```

use crate::share::share;
use crate::rule::{Context, Rule};
use crate::selector::Selector;
use crate::workload::Workload;
use gauntlet_fixtures::manifest::{Field, Object};

/// The rule.
pub const RULE: Rule =
    Rule { id: "STO006", name: "rwo-volume-multi-replica", parameters: &[], source: include_str!("rwo_volume_multi_replica.rs"), check };

fn check(context: &mut Context<'_, '_>) {
    for workload in context.index.workloads() {
        let several = match workload.object.kind.as_str() {
            "DaemonSet" => Some("of every node".to_owned()),
            "Deployment" | "StatefulSet" | "ReplicaSet" | "ReplicationController" => match context.index.most_replicas(workload) {
                Some(replicas) if replicas > 1 => Some(format!("{replicas} of them")),
                Some(1) if surges(workload) => Some("the old and the new one of a rollout".to_owned()),
                _ => None,
            },
            _ => None,
        };
        let Some(several) = several else { continue };
        for volume in workload.pod.items_at("volumes") {
            let Some(name) = volume.at("persistentVolumeClaim.claimName") else { continue };
            let claim = context.index.find("PersistentVolumeClaim", workload.namespace, name.str().unwrap_or_default());
            let Some(mode) = claim.and_then(single_mode) else { continue };
            if mode == "ReadWriteOncePod" || !is_on_one_node(workload) {
                let message = format!("its pods ({several}) share claim {}, which is {mode}", name.str().unwrap_or_default());
                context.wrong(workload.object, &name, message);
            }
        }
    }
}

/// The strictest mode of a claim that one node or one pod at a time can mount.
fn single_mode(claim: &Object) -> Option<&'static str> {
    let modes = Field::root(&claim.root).items_at("spec.accessModes");
    let has = |mode: &str| modes.iter().any(|item| item.str() == Some(mode));
    match (has("ReadWriteMany") || has("ReadOnlyMany"), has("ReadWriteOncePod"), has("ReadWriteOnce")) {
        (true, ..) => None,
        (_, true, _) => Some("ReadWriteOncePod"),
        (.., true) => Some("ReadWriteOnce"),
        _ => None,
    }
}

/// True: a rollout of a Deployment with one pod starts the new one first.
fn surges(workload: &Workload<'_>) -> bool {
    let root = Field::root(&workload.object.root);
    let surge = root.at("spec.strategy.rollingUpdate.maxSurge").map_or(Some(1), |field| share(&field, 1, true));
    workload.object.kind == "Deployment" && root.str_at("spec.strategy.type") != Some("Recreate") && surge != Some(0)
}

/// True: a required pod affinity to its own pods, or to one other pod, keeps its pods on one node.
fn is_on_one_node(workload: &Workload<'_>) -> bool {
    let terms = workload.pod.items_at("affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution");
    let own = terms.iter().filter(|term| term.str_at("topologyKey") == Some("kubernetes.io/hostname")).any(|term| {
        term.get("labelSelector").is_some_and(|field| Selector::from_label_selector(&field).matches(&workload.labels))
    });
    let pinned = workload.pod.get("nodeSelector").is_some_and(|selector| selector.get("kubernetes.io/hostname").is_some());
    own || pinned || workload.pod.get("nodeName").is_some()
}

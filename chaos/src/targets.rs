//! Which pod or node a fault is aimed at. Pure: the same view and seed give the same target.

use crate::cluster_view::{ClusterView, NodeView, PodView, WorkloadView};
use gauntlet_fixtures::platform::Target;
use rand::SeedableRng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Why no target could be drawn, or why one was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The workload has no ready pod.
    #[error("{workload} has no ready pod in namespace {namespace}")]
    NoPod {
        /// `Kind/name`, with the ordinal when one was asked for.
        workload: String,
        /// The namespace.
        namespace: String,
    },
    /// No node qualifies; says why each was refused.
    #[error("no worker node qualifies: {0}")]
    NoNode(String),
    /// The pod is not the platform's.
    #[error("pod {pod} is outside of namespace {namespace}")]
    OutsideNamespace {
        /// The pod.
        pod: String,
        /// The namespace.
        namespace: String,
    },
    /// No zone qualifies; says why.
    #[error("no zone qualifies: {0}")]
    NoZone(String),
    /// The fault cannot be aimed at the workload alone.
    #[error("{workload} cannot be the target: {reason}")]
    Unfit {
        /// `Kind/name`.
        workload: String,
        /// Why not.
        reason: String,
    },
    /// The workload is written wrongly in platform.yaml.
    #[error("target workload {0:?} is not Kind/name with kind Deployment or StatefulSet")]
    NotAWorkload(String),
}

/// What a fault is aimed at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultTarget {
    /// A pod of the platform.
    Pod {
        /// Namespace.
        namespace: String,
        /// Name.
        name: String,
        /// UID.
        uid: String,
        /// Node.
        node: String,
    },
    /// A worker node.
    Node {
        /// Name.
        name: String,
    },
    /// Every worker node of a zone.
    Zone {
        /// The zone.
        name: String,
        /// Its nodes.
        nodes: Vec<String>,
    },
    /// A workload as a whole.
    Workload {
        /// Namespace.
        namespace: String,
        /// `Kind/name`.
        id: String,
    },
}

impl std::fmt::Display for FaultTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            FaultTarget::Pod { namespace, name, .. } => write!(f, "pod/{namespace}/{name}"),
            FaultTarget::Node { name } => write!(f, "node/{name}"),
            FaultTarget::Zone { name, nodes } => write!(f, "zone/{name} ({})", nodes.join(", ")),
            FaultTarget::Workload { namespace, id } => write!(f, "{namespace}/{id}"),
        }
    }
}

/// All that a fault may disturb.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BlastRadius {
    /// The only namespace whose pods are aimed at.
    pub namespace: String,
    /// Its pods that go away or lose their node.
    pub pods: Vec<String>,
    /// Nodes whose state changes.
    pub nodes: Vec<String>,
    /// Pods of other namespaces that share the fate of a stopped node, `namespace/name`. They are not aimed at.
    pub bystanders: Vec<String>,
}

/// The random numbers of one experiment: from the run's seed and the experiment's name, so that adding an experiment does
/// not change the others' targets.
pub fn rng(seed: u64, experiment: &str) -> ChaCha8Rng {
    let mut hash = Sha256::new();
    hash.update(seed.to_le_bytes());
    hash.update(experiment.as_bytes());
    ChaCha8Rng::from_seed(hash.finalize().into())
}

fn check_workload(workload: &str) -> Result<(), PlanError> {
    match workload.split_once('/') {
        Some(("Deployment" | "StatefulSet", name)) if !name.is_empty() => Ok(()),
        _ => Err(PlanError::NotAWorkload(workload.to_owned())),
    }
}

/// The target in words: the workload, and which of its pods when only one is meant.
pub fn described(target: &Target) -> String {
    target.ordinal.map_or(target.workload.clone(), |n| format!("{} (only ordinal {n})", target.workload))
}

/// Ready pods that the target means: those of its workload, or the one with its ordinal.
fn ready_pods<'a>(view: &'a ClusterView, target: &'a Target) -> impl Iterator<Item = &'a PodView> {
    let name = target.workload.split_once('/').map_or("", |(_, name)| name);
    let only = target.ordinal.map(|n| format!("{name}-{n}"));
    view.pods_of(&target.workload).filter(move |p| p.ready && !p.terminating && only.as_ref().is_none_or(|only| *only == p.name))
}

/// Draws a ready pod of the target's workload.
///
/// # Errors
/// [`PlanError::NoPod`] when there is none, [`PlanError::NotAWorkload`] when the target is written wrongly.
pub fn draw_pod<'a>(view: &'a ClusterView, target: &'a Target, seed: u64, experiment: &str) -> Result<&'a PodView, PlanError> {
    check_workload(&target.workload)?;
    let candidates: Vec<_> = ready_pods(view, target).collect();
    let drawn = candidates.choose(&mut rng(seed, experiment)).copied();
    drawn.ok_or_else(|| PlanError::NoPod { workload: described(target), namespace: view.namespace.clone() })
}

/// The target's workload, which must have a ready pod.
///
/// # Errors
/// [`PlanError::NoPod`] when it has none, [`PlanError::NotAWorkload`] when the target is written wrongly.
pub fn whole_workload<'a>(view: &'a ClusterView, target: &Target) -> Result<&'a WorkloadView, PlanError> {
    check_workload(&target.workload)?;
    let found = view.workloads.iter().find(|w| w.id == target.workload && w.desired > 0 && w.ready > 0);
    found.ok_or_else(|| PlanError::NoPod { workload: target.workload.clone(), namespace: view.namespace.clone() })
}

/// Why a node may not be the target; None when it may.
fn refused(view: &ClusterView, target: &Target, node: &NodeView) -> Option<String> {
    let on_it = |workload: &str| view.pods_of(workload).any(|p| p.node == node.name && !p.finished);
    let name = &node.name;
    if node.control_plane {
        return Some(format!("{name} runs the control plane"));
    }
    if !node.ready || node.unschedulable {
        return Some(format!("{name} is not in service"));
    }
    if let Some(spared) = target.spare.iter().find(|s| on_it(s)) {
        return Some(format!("{name} runs {spared}, which is spared"));
    }
    if !ready_pods(view, target).any(|p| p.node == *name) {
        return Some(format!("{name} runs no ready pod of {}", described(target)));
    }
    None
}

/// Draws a worker node that runs a ready pod of the target's workload and none of the spared ones.
///
/// # Errors
/// [`PlanError::NoNode`] with the reason for each node.
pub fn draw_node<'a>(view: &'a ClusterView, target: &Target, seed: u64, experiment: &str) -> Result<&'a NodeView, PlanError> {
    check_workload(&target.workload)?;
    let candidates: Vec<_> = view.nodes.iter().filter(|n| refused(view, target, n).is_none()).collect();
    let drawn = candidates.choose(&mut rng(seed, experiment)).copied();
    drawn.ok_or_else(|| {
        let reasons: Vec<_> = view.nodes.iter().filter_map(|n| refused(view, target, n)).collect();
        PlanError::NoNode(reasons.join("; "))
    })
}

/// Zones that a zone outage needs, so that two are left.
pub const ZONES_NEEDED: usize = 3;

/// Draws a zone: one of at least [`ZONES_NEEDED`], whose every worker may be taken, and one of which runs a ready pod of the
/// target's workload. Gives the zone and its nodes.
///
/// # Errors
/// [`PlanError::NoZone`] with the reasons.
pub fn draw_zone(view: &ClusterView, target: &Target, seed: u64, experiment: &str) -> Result<(String, Vec<String>), PlanError> {
    check_workload(&target.workload)?;
    let mut zones: BTreeMap<&str, Vec<&NodeView>> = BTreeMap::new();
    for node in view.nodes.iter().filter(|n| !n.control_plane && !n.zone.is_empty()) {
        zones.entry(&node.zone).or_default().push(node);
    }
    if zones.len() < ZONES_NEEDED {
        return Err(PlanError::NoZone(format!("the workers are in {} zones, {ZONES_NEEDED} are needed", zones.len())));
    }
    let spared = |n: &NodeView| target.spare.iter().find(|s| view.pods_of(s).any(|p| p.node == n.name && !p.finished));
    let refused = |nodes: &[&NodeView]| {
        if let Some(out) = nodes.iter().find(|n| !n.ready || n.unschedulable) {
            return Some(format!("{} is not in service", out.name));
        }
        if let Some((node, spare)) = nodes.iter().find_map(|n| Some((n, spared(n)?))) {
            return Some(format!("{} runs {spare}, which is spared", node.name));
        }
        let hit = nodes.iter().any(|n| ready_pods(view, target).any(|p| p.node == n.name));
        (!hit).then(|| format!("no ready pod of {} is there", described(target)))
    };
    let good: Vec<_> = zones.iter().filter(|(_, nodes)| refused(nodes).is_none()).collect();
    match good.choose(&mut rng(seed, experiment)) {
        Some((zone, nodes)) => Ok(((**zone).to_owned(), nodes.iter().map(|n| n.name.clone()).collect())),
        None => {
            let reasons: Vec<_> = zones.iter().filter_map(|(zone, nodes)| Some(format!("{zone}: {}", refused(nodes)?))).collect();
            Err(PlanError::NoZone(reasons.join("; ")))
        }
    }
}

/// Pods of the platform on a node that a drain evicts: not those of DaemonSets, not finished ones.
pub fn evictable<'a>(view: &'a ClusterView, node: &'a str) -> impl Iterator<Item = &'a PodView> {
    view.pods.iter().filter(move |p| p.node == node && !p.daemon && !p.finished)
}

/// Refuses a pod that is not listed in the platform's namespace. Asked again right before a pod is touched.
///
/// # Errors
/// [`PlanError::OutsideNamespace`].
pub fn inside(view: &ClusterView, namespace: &str, pod: &str) -> Result<(), PlanError> {
    if namespace == view.namespace && view.pods.iter().any(|p| p.name == pod) {
        return Ok(());
    }
    Err(PlanError::OutsideNamespace { pod: pod.to_owned(), namespace: view.namespace.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::sample::{self, SERVICE, STORE, cluster};
    use std::collections::BTreeSet;

    fn target(spare: &[&str]) -> Target {
        sample::target(SERVICE, spare)
    }

    #[test]
    fn an_ordinal_names_one_pod_and_its_node() {
        let mut view = cluster();
        view.pods.push(sample::pod("db-1", "worker-2", STORE));
        let only = |n| Target { ordinal: Some(n), ..sample::target(STORE, &[]) };
        for seed in 0..20 {
            assert_eq!(draw_pod(&view, &only(1), seed, "x").expect("a pod").name, "db-1");
            assert_eq!(draw_node(&view, &only(0), seed, "x").expect("a node").name, "worker-1");
        }
        let reason = draw_pod(&view, &only(2), 1, "x").expect_err("no such pod").to_string();
        assert_eq!(reason, "StatefulSet/db (only ordinal 2) has no ready pod in namespace shop");
    }

    #[test]
    fn the_same_seed_draws_the_same_pod_and_seeds_reach_all_of_them() {
        let (view, target) = (cluster(), target(&[]));
        let draw = |seed| draw_pod(&view, &target, seed, "x").expect("a pod").name.clone();
        assert_eq!(draw(7), draw(7));
        let drawn: BTreeSet<_> = (0..50).map(draw).collect();
        assert_eq!(drawn.len(), 3, "all pods of the service, and no pod of the store: {drawn:?}");
    }

    #[test]
    fn another_experiment_draws_for_itself() {
        let (view, target) = (cluster(), target(&[]));
        let draws = |e: &str| (0..20).map(|s| draw_pod(&view, &target, s, e).expect("a pod").name.clone()).collect::<Vec<_>>();
        assert_ne!(draws("a"), draws("b"));
    }

    #[test]
    fn a_spared_workload_and_the_control_plane_keep_their_nodes() {
        let (view, target) = (cluster(), target(&[STORE]));
        for seed in 0..50 {
            assert_eq!(draw_node(&view, &target, seed, "x").expect("a node").name, "worker-2");
        }
    }

    #[test]
    fn a_zone_needs_two_others_and_is_spared_with_its_nodes() {
        let mut view = cluster();
        for (at, zone) in [(1, "a"), (2, "b")] {
            view.nodes[at].zone = zone.into();
        }
        let draw = |view: &ClusterView, spare: &[&str]| draw_zone(view, &target(spare), 1, "x");
        assert!(draw(&view, &[]).expect_err("two zones").to_string().contains("in 2 zones, 3 are needed"));
        view.nodes.push(NodeView { zone: "c".into(), ..sample::node("worker-3") });
        assert_eq!(draw(&view, &[STORE]).expect("a zone"), ("b".to_owned(), vec!["worker-2".to_owned()]));
        let none = draw(&view, &[STORE, SERVICE]).expect_err("none").to_string();
        assert!(none.contains("a: worker-1 runs StatefulSet/db") && none.contains("c: no ready pod"), "{none}");
    }

    #[test]
    fn no_node_says_why_for_each() {
        let mut view = cluster();
        view.nodes[2].unschedulable = true;
        let reason = draw_node(&view, &target(&[STORE]), 1, "x").expect_err("none").to_string();
        for part in ["control runs the control plane", "worker-1 runs StatefulSet/db", "worker-2 is not in service"] {
            assert!(reason.contains(part), "{reason}");
        }
    }

    #[test]
    fn pods_that_are_not_ready_or_leaving_are_no_targets() {
        let mut view = cluster();
        view.pods[0].ready = false;
        view.pods[1].terminating = true;
        for seed in 0..20 {
            assert_eq!(draw_pod(&view, &target(&[]), seed, "x").expect("a pod").name, "order-c");
        }
        view.pods[2].ready = false;
        assert!(matches!(draw_pod(&view, &target(&[]), 1, "x"), Err(PlanError::NoPod { .. })));
    }

    #[test]
    fn strangers_and_misspelt_workloads_are_refused() {
        let view = cluster();
        assert_eq!(inside(&view, "shop", "order-a"), Ok(()));
        assert!(inside(&view, "kube-system", "order-a").is_err());
        assert!(inside(&view, "shop", "coredns").is_err());
        let wrong = sample::target("order", &[]);
        assert_eq!(draw_node(&view, &wrong, 1, "x"), Err(PlanError::NotAWorkload("order".into())));
    }

    #[test]
    fn a_drain_leaves_daemons_and_finished_pods() {
        let mut view = cluster();
        view.pods[1].daemon = true;
        view.pods[2].finished = true;
        assert_eq!(evictable(&view, "worker-2").count(), 0);
        assert_eq!(evictable(&view, "worker-1").count(), 2);
    }
}

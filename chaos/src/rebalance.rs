//! Spreads a workload over the nodes again before a fault is aimed at one of them.
//!
//! Kubernetes moves no running pod: after a drain, every replica stays where it fled to, and the node that came back
//! stands empty. An experiment that needs a node with pods of the workload would find none. An operator would restart
//! pods one by one; so does this, through the eviction API, within the PodDisruptionBudget.

use crate::cluster_view::{ClusterView, PodView};
use crate::cluster_watch::{ClusterWatch, Waited};
use crate::error::ChaosError;
use crate::eviction::{Answer, evict};
use crate::steady_state::at_rest;
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A replacement must be Ready within this time.
const REST_WITHIN: Duration = Duration::from_secs(90);

/// Pods of `workload` on each worker that takes pods.
fn counts<'a>(view: &'a ClusterView, workload: &'a str) -> Vec<(&'a str, usize)> {
    let workers = view.nodes.iter().filter(|n| n.ready && !n.unschedulable && !n.control_plane);
    workers.map(|n| (n.name.as_str(), view.pods_of(workload).filter(|p| p.node == n.name && !p.finished && !p.terminating).count())).collect()
}

/// The pod to move: one on the fullest worker, when another worker has none at all. Names decide between equals.
pub fn misplaced<'a>(view: &'a ClusterView, workload: &'a str) -> Option<&'a PodView> {
    let counts = counts(view, workload);
    counts.iter().find(|(_, pods)| *pods == 0)?;
    let (fullest, pods) = counts.iter().max_by_key(|(name, pods)| (*pods, std::cmp::Reverse(*name)))?;
    if *pods < 2 {
        return None;
    }
    let mut candidates: Vec<_> = view.pods_of(workload).filter(|p| p.node == *fullest && p.ready && !p.terminating).collect();
    candidates.sort_by(|a, b| a.name.cmp(&b.name));
    candidates.first().copied()
}

/// Evicts one misplaced pod and waits until the platform is at rest again. Gives the name of the pod that moved.
///
/// # Errors
/// When the API server refuses, or the platform does not come to rest.
pub async fn rebalance(client: &Client, watch: &ClusterWatch, workload: &str, stop: &CancellationToken) -> Result<Option<String>, ChaosError> {
    let view = watch.view();
    // A StatefulSet's pod is bound to its volume, and often to its role: it would come back where it was.
    if !workload.starts_with("Deployment/") {
        return Ok(None);
    }
    let Some(pod) = misplaced(&view, workload) else { return Ok(None) };
    let pods: Api<Pod> = Api::namespaced(client.clone(), &view.namespace);
    if let Answer::Refused(why) = evict(&pods, pod, false).await? {
        return Err(ChaosError::TimedOut { what: format!("pod {} to move to the empty node", pod.name), last_seen: why });
    }
    let name = pod.name.clone();
    let uid = pod.uid.clone();
    let moved = move |view: &ClusterView| if view.pods.iter().any(|p| p.uid == uid) { Err("the pod is still there".to_owned()) } else { Ok(()) };
    for condition in [&moved as &(dyn crate::steady_state::Condition + Send + Sync), &at_rest()] {
        match watch.wait_until(condition, REST_WITHIN, stop).await {
            Waited::Met => {}
            Waited::Stopped => return Err(ChaosError::Stopped),
            Waited::TimedOut(last_seen) => return Err(ChaosError::TimedOut { what: format!("the platform at rest after {name} moved"), last_seen }),
        }
    }
    Ok(Some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster_view::NodeView;

    fn view(placed: &[(&str, &str)]) -> ClusterView {
        let node = |name: &str| NodeView { name: name.into(), ready: true, ready_status: "True".into(), ..NodeView::default() };
        let pod = |(name, node): &(&str, &str)| PodView {
            name: (*name).into(),
            uid: (*name).into(),
            node: (*node).into(),
            ready: true,
            workload: Some("Deployment/api".into()),
            ..PodView::default()
        };
        ClusterView { nodes: vec![node("a"), node("b")], pods: placed.iter().map(pod).collect(), ..ClusterView::default() }
    }

    #[test]
    fn a_pod_of_the_fullest_node_moves_to_the_empty_one() {
        let crowded = view(&[("p2", "a"), ("p1", "a"), ("p3", "a")]);
        assert_eq!(misplaced(&crowded, "Deployment/api").map(|p| p.name.as_str()), Some("p1"));
    }

    #[test]
    fn a_spread_workload_and_a_single_pod_stay() {
        assert_eq!(misplaced(&view(&[("p1", "a"), ("p2", "b"), ("p3", "b")]), "Deployment/api"), None);
        assert_eq!(misplaced(&view(&[("p1", "a")]), "Deployment/api"), None);
    }

    #[test]
    fn a_cordoned_node_is_no_empty_node() {
        let mut crowded = view(&[("p1", "a"), ("p2", "a")]);
        crowded.nodes[1].unschedulable = true;
        assert_eq!(misplaced(&crowded, "Deployment/api"), None);
    }
}

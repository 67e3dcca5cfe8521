//! Half of the pods of the workloads that events pass on their way are deleted while clients listen. A consumer that commits
//! before it has processed loses what it had in hand, and nobody but who counts the events sees it. Deleted pods need no
//! recovery: their workload makes others.

use crate::oracle::target::{pod_view, selector};
use gauntlet_reports::event::{EventKind, FaultPhase};
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{DeleteParams, ListParams};
use kube::{Api, Client};
use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::BTreeSet;

/// The fault's name in the timeline.
const EXPERIMENT: &str = "soak-delete-upstream";
/// Events that are missed this long after it were in the hands of the deleted pods, or of those that took over from them, in ms.
const BLAMED_MS: u64 = 30_000;

/// Pods of one workload that were deleted together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Upstream {
    /// `Kind/name`.
    pub(super) workload: String,
    /// The deleted pods.
    pub(super) pods: Vec<String>,
    /// Pods that were Ready before.
    pub(super) ready: usize,
    /// When, on the run's clock in ms.
    pub(super) at_ms: u64,
}

impl Upstream {
    /// True: an event that was first missed then may have been lost with these pods.
    pub(super) fn explains(&self, at_ms: u64) -> bool {
        (self.at_ms..self.at_ms + BLAMED_MS).contains(&at_ms)
    }
}

/// Half of these, rounded up, by the seed.
fn half(ready: &BTreeSet<String>, seed: u64) -> Vec<String> {
    let mut all: Vec<String> = ready.iter().cloned().collect();
    all.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
    all.truncate(ready.len().div_ceil(2));
    all
}

/// Deletes half of the ready pods of a workload, each with its own grace period.
///
/// # Errors
/// The API server's answer, for people; when no pod is Ready.
pub(super) async fn delete(client: &Client, namespace: &str, workload: &str, seed: u64, recorder: &Recorder) -> Result<Upstream, String> {
    let (kind, name) = workload.split_once('/').unwrap_or(("", workload));
    let selector = selector(client, namespace, kind, name).await.map_err(|e| format!("cannot {}", crate::stage::chain(&e)))?;
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let listed = api.list(&ListParams::default().labels(&selector)).await.map_err(|e| format!("list the pods of {workload}: {e}"))?;
    let ready: BTreeSet<String> = listed.items.iter().map(pod_view).filter(|pod| pod.is_ready() && !pod.deleted).map(|pod| pod.name).collect();
    let pods = half(&ready, seed);
    if pods.is_empty() {
        return Err(format!("no pod of {workload} is Ready"));
    }
    let at_ms = recorder.clock().now_ms();
    for pod in &pods {
        api.delete(pod, &DeleteParams::default()).await.map_err(|e| format!("delete the pod {pod}: {e}"))?;
        let target = format!("pod/{namespace}/{pod}");
        let detail = format!("{workload} is on the events' way");
        recorder.emit_at(at_ms, EventKind::Fault { experiment: EXPERIMENT.to_owned(), target, phase: FaultPhase::Applied, detail });
    }
    Ok(Upstream { workload: workload.to_owned(), pods, ready: ready.len(), at_ms })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_pods_are_drawn_by_the_seed() {
        let ready: BTreeSet<String> = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        assert_eq!((half(&ready, 1).len(), half(&ready, 1)), (3, half(&ready, 1)));
        assert!((0..20).any(|seed| half(&ready, seed) != half(&ready, 1)), "the seed counts");
        assert_eq!(half(&BTreeSet::from(["a".to_owned()]), 1), ["a"]);
        assert!(half(&BTreeSet::new(), 1).is_empty());
    }

    #[test]
    fn what_was_missed_before_or_long_after_has_another_cause() {
        let upstream = Upstream { workload: "Deployment/p".into(), pods: vec![], ready: 6, at_ms: 10_000 };
        assert_eq!([9_999, 10_000, 39_999, 40_000].map(|ms| upstream.explains(ms)), [false, true, true, false]);
    }
}

//! One pod is deleted half-way. A deleted pod needs no recovery: its workload makes another.

use super::pods::PodWatch;
use gauntlet_reports::event::{EventKind, FaultPhase};
use gauntlet_reports::recorder::Recorder;
use k8s_openapi::api::core::v1::Pod;
use kube::api::DeleteParams;
use kube::{Api, Client};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The fault's name in the timeline.
const EXPERIMENT: &str = "soak-delete-pod";

/// A pod that was deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Kill {
    /// The pod.
    pub pod: String,
    /// When, on the run's clock in ms.
    pub at_ms: u64,
    /// Connections that it held, where answers name the server.
    pub held: Option<u32>,
    /// When every connection was open again, on the run's clock in ms.
    pub steady_ms: Option<u64>,
}

/// One of the ready pods, by the seed: one that holds connections, where that is known.
pub fn choose(ready: &BTreeSet<String>, spread: &BTreeMap<String, u32>, seed: u64) -> Option<String> {
    let holding: Vec<&String> = ready.iter().filter(|pod| spread.get(*pod).is_some_and(|n| *n > 0)).collect();
    let all: Vec<&String> = if holding.is_empty() { ready.iter().collect() } else { holding };
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (!all.is_empty()).then(|| all[rng.random_range(0..all.len())].clone())
}

/// Where a pod is deleted, and told.
pub struct Killer<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The platform's namespace.
    pub namespace: &'a str,
    /// Takes the fault's life.
    pub recorder: &'a Recorder,
    /// The workload's pods.
    pub pods: &'a PodWatch,
}

impl Killer<'_> {
    /// Deletes a pod, with its own grace period: it is told, and may drain.
    ///
    /// # Errors
    /// The API server's answer, for people.
    pub async fn kill(&self, pod: &str, held: Option<u32>) -> Result<Kill, String> {
        let at_ms = self.recorder.clock().now_ms();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        api.delete(pod, &DeleteParams::default()).await.map_err(|e| format!("delete the pod {pod}: {e}"))?;
        let detail = held.map_or_else(String::new, |n| format!("it holds {n} connections"));
        self.tell(at_ms, pod, FaultPhase::Applied, detail);
        Ok(Kill { pod: pod.to_owned(), at_ms, held, steady_ms: None })
    }

    /// Waits until the pod is seen to go away.
    pub async fn proven(&self, kill: &Kill) {
        let mut pods = self.pods.watch();
        let going = pods.wait_for(|pods| pods.get(&kill.pod).is_some_and(|life| life.going_ms.is_some())).await.is_ok();
        if going {
            self.tell(self.recorder.clock().now_ms(), &kill.pod, FaultPhase::Proven, "the pod is terminating".to_owned());
        }
    }

    /// Every connection is open again.
    pub fn steady(&self, kill: &mut Kill) {
        let at_ms = self.recorder.clock().now_ms();
        kill.steady_ms = Some(at_ms);
        self.tell(at_ms, &kill.pod, FaultPhase::SteadyState, "every connection is open again".to_owned());
    }

    fn tell(&self, at_ms: u64, pod: &str, phase: FaultPhase, detail: String) {
        let target = format!("pod/{}/{pod}", self.namespace);
        self.recorder.emit_at(at_ms, EventKind::Fault { experiment: EXPERIMENT.to_owned(), target, phase, detail });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_that_holds_connections_is_chosen_by_the_seed() {
        let ready: BTreeSet<String> = ["a", "b", "c"].map(str::to_owned).into();
        let spread = BTreeMap::from([("b".to_owned(), 4), ("c".to_owned(), 2), ("old".to_owned(), 9)]);
        let chosen: BTreeSet<_> = (0..50).filter_map(|seed| choose(&ready, &spread, seed)).collect();
        assert_eq!(chosen, BTreeSet::from(["b".to_owned(), "c".to_owned()]));
        assert_eq!(choose(&ready, &spread, 3), choose(&ready, &spread, 3));
        let unnamed: BTreeSet<_> = (0..50).filter_map(|seed| choose(&ready, &BTreeMap::new(), seed)).collect();
        assert_eq!(unnamed, ready);
        assert_eq!(choose(&BTreeSet::new(), &spread, 1), None);
    }
}

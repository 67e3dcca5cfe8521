//! A live view of the platform's namespace and the nodes, kept by watches; and waiting on it without polling.

use crate::cluster_view::ClusterView;
use crate::error::ChaosError;
use crate::steady_state::Condition;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::reflector::{self, Store};
use kube::runtime::utils::Backoff;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How a wait ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waited {
    /// The condition held.
    Met,
    /// The time ran out; the last reason why it did not hold.
    TimedOut(String),
    /// The run was stopped.
    Stopped,
}

/// Retries of a broken watch at a steady pace: a drill cannot wait for a back-off that grows to half a minute.
pub(crate) struct SteadyPace;

impl Iterator for SteadyPace {
    type Item = Duration;
    fn next(&mut self) -> Option<Duration> {
        Some(Duration::from_millis(500))
    }
}

impl Backoff for SteadyPace {
    fn reset(&mut self) {}
}

/// Watches that keep a [`ClusterView`] current. Dropping it ends them.
pub struct ClusterWatch {
    namespace: String,
    pods: Store<Pod>,
    nodes: Store<Node>,
    deployments: Store<Deployment>,
    stateful_sets: Store<StatefulSet>,
    budgets: Store<PodDisruptionBudget>,
    ended: Arc<Mutex<BTreeMap<String, (String, Exits)>>>,
    changes: watch::Receiver<u64>,
    _feeds: JoinSet<()>,
}

/// How the containers of a pod ended that was asked to go: name to exit code.
pub type Exits = BTreeMap<String, i32>;

/// The exit codes that a pod on its way out shows. One that the kubelet made up, because it did not find the container any
/// more, is none.
pub fn exits(pod: &Pod) -> Option<Exits> {
    pod.metadata.deletion_timestamp.as_ref()?;
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let ended = statuses.iter().filter_map(|s| Some((s.name.clone(), s.state.as_ref()?.terminated.as_ref()?)));
    Some(ended.filter(|(_, t)| t.reason.as_deref() != Some("ContainerStatusUnknown")).map(|(name, t)| (name, t.exit_code)).collect())
}

fn feed<K>(api: Api<K>, changes: &Arc<watch::Sender<u64>>, feeds: &mut JoinSet<()>, observe: impl Fn(&K) + Send + 'static) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let changes = changes.clone();
    let events = watcher(api, watcher::Config::default()).backoff(SteadyPace).reflect(writer);
    feeds.spawn(async move {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            match &event {
                Ok(watcher::Event::Apply(object) | watcher::Event::InitApply(object) | watcher::Event::Delete(object)) => observe(object),
                Ok(_) => {}
                // It is made again; what changed meanwhile is listed then.
                Err(_) => {}
            }
            changes.send_modify(|n| *n += 1);
        }
    });
    reader
}

impl ClusterWatch {
    /// Starts the watches and returns when each has listed once.
    ///
    /// # Errors
    /// When the API server does not list within 30 s.
    pub async fn start(client: &Client, namespace: &str) -> Result<Self, ChaosError> {
        let (sender, changes) = watch::channel(0);
        let sender = Arc::new(sender);
        let mut feeds = JoinSet::new();
        let ns = |c: &Client| (c.clone(), namespace.to_owned());
        let (c, n) = ns(client);
        let ended: Arc<Mutex<BTreeMap<String, (String, Exits)>>> = Arc::default();
        let kept = ended.clone();
        let keep = move |pod: &Pod| {
            if let (Some(found), Some(uid)) = (exits(pod), pod.metadata.uid.clone()) {
                let name = pod.metadata.name.clone().unwrap_or_default();
                kept.lock().unwrap_or_else(PoisonError::into_inner).entry(uid).or_insert((name, Exits::new())).1.extend(found);
            }
        };
        let watch = ClusterWatch {
            pods: feed(Api::namespaced(c.clone(), &n), &sender, &mut feeds, keep),
            nodes: feed(Api::all(c.clone()), &sender, &mut feeds, |_| {}),
            deployments: feed(Api::namespaced(c.clone(), &n), &sender, &mut feeds, |_| {}),
            stateful_sets: feed(Api::namespaced(c.clone(), &n), &sender, &mut feeds, |_| {}),
            budgets: feed(Api::namespaced(c, &n), &sender, &mut feeds, |_| {}),
            ended,
            namespace: n,
            changes,
            _feeds: feeds,
        };
        let listed = async {
            // Only a dropped feed fails here, and the feeds live as long as `watch`.
            let _ = watch.pods.wait_until_ready().await;
            let _ = watch.nodes.wait_until_ready().await;
            let _ = watch.deployments.wait_until_ready().await;
            let _ = watch.stateful_sets.wait_until_ready().await;
            let _ = watch.budgets.wait_until_ready().await;
        };
        match tokio::time::timeout(Duration::from_secs(30), listed).await {
            Ok(()) => Ok(watch),
            Err(_) => Err(ChaosError::TimedOut {
                what: format!("the first listing of namespace {namespace}"),
                last_seen: "the API server did not list pods, nodes, workloads and budgets within 30 s".into(),
            }),
        }
    }

    /// The cluster as it was last seen.
    pub fn view(&self) -> ClusterView {
        fn all<K: Resource<DynamicType = ()> + Clone + 'static>(store: &Store<K>) -> Vec<K> {
            store.state().iter().map(|o| K::clone(o)).collect()
        }
        ClusterView::of(
            &self.namespace,
            &all(&self.pods),
            &all(&self.nodes),
            &all(&self.deployments),
            &all(&self.stateful_sets),
            &all(&self.budgets),
        )
    }

    /// How pods ended that were asked to go, by name; those that were not seen to end have no exit codes.
    pub fn exits_of(&self, uids: &BTreeSet<String>) -> Vec<(String, Exits)> {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        uids.iter().map(|uid| ended.get(uid).cloned().unwrap_or_else(|| (uid.clone(), Exits::new()))).collect()
    }

    /// Waits until the condition holds, asking it at each change of the cluster.
    pub async fn wait_until(&self, condition: &dyn Condition, timeout: Duration, stop: &CancellationToken) -> Waited {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            let Err(reason) = condition.check(&self.view()) else { return Waited::Met };
            tokio::select! {
                () = stop.cancelled() => return Waited::Stopped,
                () = tokio::time::sleep_until(deadline) => return Waited::TimedOut(reason),
                _ = changes.changed() => {}
            }
        }
    }

    /// Returns at the next change of the cluster, or after `at_most`.
    pub async fn next_change(&self, at_most: Duration) {
        let mut changes = self.changes.clone();
        changes.mark_unchanged();
        let _ = tokio::time::timeout(at_most, changes.changed()).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_a_pod_on_its_way_out_has_ended_and_only_as_it_was_seen() {
        let pod = |deleted: bool| -> Pod {
            let mut value = json!({"metadata": {"name": "p", "uid": "u"}, "status": {"containerStatuses": [
                {"name": "api", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 137, "reason": "Error"}}},
                {"name": "side", "image": "", "imageID": "", "ready": false, "restartCount": 0, "state": {"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}},
                {"name": "slow", "image": "", "imageID": "", "ready": true, "restartCount": 0, "state": {"running": {}}}]}});
            if deleted {
                value["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
            }
            serde_json::from_value(value).expect("pod")
        };
        assert_eq!(exits(&pod(true)), Some(Exits::from([("api".to_owned(), 137)])));
        assert_eq!(exits(&pod(false)), None);
    }
}

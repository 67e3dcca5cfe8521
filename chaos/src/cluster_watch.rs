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
use std::fmt::Debug;
use std::sync::Arc;
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
    changes: watch::Receiver<u64>,
    _feeds: JoinSet<()>,
}

fn feed<K>(api: Api<K>, changes: &Arc<watch::Sender<u64>>, feeds: &mut JoinSet<()>) -> Store<K>
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static,
{
    let (reader, writer) = reflector::store();
    let changes = changes.clone();
    let events = watcher(api, watcher::Config::default()).backoff(SteadyPace).reflect(writer);
    feeds.spawn(async move {
        let mut events = std::pin::pin!(events);
        while let Some(event) = events.next().await {
            if let Err(error) = event {
                tracing::debug!(%error, kind = %K::kind(&()), "watch broke; it is made again");
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
        let watch = ClusterWatch {
            pods: feed(Api::namespaced(c.clone(), &n), &sender, &mut feeds),
            nodes: feed(Api::all(c.clone()), &sender, &mut feeds),
            deployments: feed(Api::namespaced(c.clone(), &n), &sender, &mut feeds),
            stateful_sets: feed(Api::namespaced(c.clone(), &n), &sender, &mut feeds),
            budgets: feed(Api::namespaced(c, &n), &sender, &mut feeds),
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

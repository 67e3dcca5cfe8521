//! The pods that hold the connections, watched.

use crate::oracle::target::{TargetError, pod_view, selector};
use futures::StreamExt;
use gauntlet_reports::clock::Clock;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::watcher::{Config, Event};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use std::collections::{BTreeMap, BTreeSet};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A pod of the workload, on the run's clock in ms.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Life {
    /// It serves.
    pub ready: bool,
    /// It was seen to serve.
    pub served: bool,
    /// Seen to be on its way out, or gone.
    pub going_ms: Option<u64>,
    /// Gone.
    pub gone: bool,
}

/// Every pod that was ever seen.
pub type Pods = BTreeMap<String, Life>;

/// The pods that serve.
pub fn ready(pods: &Pods) -> BTreeSet<String> {
    pods.iter().filter(|(_, life)| life.ready).map(|(name, _)| name.clone()).collect()
}

/// Watches until it is dropped.
pub struct PodWatch {
    seen: watch::Receiver<Pods>,
    task: JoinHandle<()>,
}

impl Drop for PodWatch {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl PodWatch {
    /// Watches the pods of a `Kind/name`.
    ///
    /// # Errors
    /// [`TargetError`] when the workload cannot be read.
    pub async fn start(client: &Client, namespace: &str, workload: &str, clock: Clock) -> Result<Self, TargetError> {
        let (kind, name) = workload.split_once('/').unwrap_or(("", workload));
        let selector = selector(client, namespace, kind, name).await?;
        let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
        let (tell, seen) = watch::channel(Pods::new());
        let task = tokio::spawn(async move {
            let mut stream = watcher(pods, Config::default().labels(&selector)).default_backoff().boxed();
            let mut listed = BTreeSet::new();
            while let Some(event) = stream.next().await {
                let now = clock.now_ms();
                tell.send_modify(|pods| match event {
                    Ok(Event::Init) => listed.clear(),
                    Ok(Event::InitApply(pod)) => {
                        listed.extend(pod.metadata.name.clone());
                        apply(pods, &pod, now);
                    }
                    // What is not in a new list went while nobody looked.
                    Ok(Event::InitDone) => {
                        pods.iter_mut().filter(|(name, life)| !life.gone && !listed.contains(*name)).for_each(|(_, life)| gone(life, now));
                    }
                    Ok(Event::Apply(pod)) => apply(pods, &pod, now),
                    Ok(Event::Delete(pod)) => gone(pods.entry(pod.metadata.name.unwrap_or_default()).or_default(), now),
                    Err(_) => {}
                });
            }
        });
        Ok(PodWatch { seen, task })
    }

    /// Every pod so far, and a way to wait for more.
    pub fn watch(&self) -> watch::Receiver<Pods> {
        self.seen.clone()
    }

    /// Every pod so far.
    pub fn now(&self) -> Pods {
        self.seen.borrow().clone()
    }
}

fn gone(life: &mut Life, now: u64) {
    life.going_ms.get_or_insert(now);
    (life.ready, life.gone) = (false, true);
}

fn apply(pods: &mut Pods, pod: &Pod, now: u64) {
    let view = pod_view(pod);
    let life = pods.entry(view.name.clone()).or_default();
    life.ready = view.is_ready();
    life.served |= life.ready;
    if view.deleted {
        life.going_ms.get_or_insert(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pod(deleted: bool) -> Pod {
        let mut pod = json!({"metadata": {"name": "ws-a"}, "status": {"phase": "Running", "conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]}});
        if deleted {
            pod["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:09Z");
        }
        serde_json::from_value(pod).expect("pod")
    }

    #[test]
    fn a_pod_that_drains_serves_no_longer() {
        let mut pods = Pods::new();
        apply(&mut pods, &pod(false), 1_000);
        assert_eq!(ready(&pods), BTreeSet::from(["ws-a".to_owned()]));
        apply(&mut pods, &pod(true), 2_000);
        apply(&mut pods, &pod(true), 3_000);
        assert!(ready(&pods).is_empty());
        assert_eq!(pods["ws-a"], Life { ready: false, served: true, going_ms: Some(2_000), gone: false });
        gone(pods.get_mut("ws-a").expect("pod"), 9_000);
        assert_eq!(pods["ws-a"], Life { ready: false, served: true, going_ms: Some(2_000), gone: true });
    }
}

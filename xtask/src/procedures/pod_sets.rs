//! The ReplicaSets of a Deployment as sets of pods, and which of them a Service leads to.

use anyhow::{Context as _, Result, bail};
use futures::StreamExt as _;
use k8s_openapi::api::apps::v1::{Deployment, ReplicaSet};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::api::{Api, ListParams};
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Client, ResourceExt as _};
use std::collections::BTreeSet;

/// The label that the Deployment controller gives the pods of one ReplicaSet.
pub const HASH: &str = "pod-template-hash";

/// The pods of one template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodSet {
    /// Their hash.
    pub hash: String,
    /// How many are wanted.
    pub wanted: usize,
    /// How many are ready.
    pub ready: usize,
}

/// A ReplicaSet as a set of pods; None when it is not the Deployment's.
fn of(set: &ReplicaSet, deployment_uid: &str) -> Option<PodSet> {
    set.owner_references().iter().find(|o| o.uid == deployment_uid && o.controller == Some(true))?;
    let count = |n: Option<i32>| usize::try_from(n.unwrap_or_default()).unwrap_or_default();
    let hash = set.labels().get(HASH)?.clone();
    Some(PodSet { hash, wanted: count(set.spec.as_ref()?.replicas), ready: count(set.status.as_ref().and_then(|s| s.ready_replicas)) })
}

/// The sets of a Deployment.
///
/// # Errors
/// When the API server does not answer.
pub async fn list(client: &Client, namespace: &str, deployment: &Deployment) -> Result<Vec<PodSet>> {
    let sets = Api::<ReplicaSet>::namespaced(client.clone(), namespace).list(&ListParams::default()).await.context("failed to list ReplicaSets")?;
    let uid = deployment.uid().unwrap_or_default();
    Ok(sets.items.iter().filter_map(|s| of(s, &uid)).collect())
}

/// Waits for a set of the Deployment. Ends with it, or never.
///
/// # Errors
/// When the watch ends.
pub async fn wait_for(client: &Client, namespace: &str, deployment: &Deployment, fits: impl Fn(&PodSet) -> bool) -> Result<PodSet> {
    let uid = deployment.uid().unwrap_or_default();
    let api = Api::<ReplicaSet>::namespaced(client.clone(), namespace);
    let mut sets = std::pin::pin!(watcher(api, watcher::Config::default()).default_backoff().applied_objects());
    while let Some(set) = sets.next().await {
        // A watch that broke is begun again.
        let Ok(set) = set else { continue };
        if let Some(found) = of(&set, &uid).filter(&fits) {
            return Ok(found);
        }
    }
    bail!("the watch of ReplicaSets ended")
}

/// Names of the pods with this hash that are not on their way out.
///
/// # Errors
/// When the API server does not answer.
pub async fn pods(client: &Client, namespace: &str, hash: &str) -> Result<Vec<String>> {
    let wanted = ListParams::default().labels(&format!("{HASH}={hash}"));
    let found = Api::<Pod>::namespaced(client.clone(), namespace).list(&wanted).await.context("failed to list pods")?;
    Ok(found.items.iter().filter(|p| p.metadata.deletion_timestamp.is_none()).map(|p| p.name_any()).collect())
}

/// The pods that an EndpointSlice leads traffic to.
fn serving(slice: &EndpointSlice) -> BTreeSet<String> {
    let ready = slice.endpoints.iter().filter(|e| e.conditions.as_ref().is_none_or(|c| c.ready != Some(false)));
    ready.filter_map(|e| e.target_ref.as_ref()?.name.clone()).collect()
}

/// Waits until a Service leads to some of `pods`, and to nobody else. Ends then, or never.
///
/// # Errors
/// When the watch ends.
pub async fn led_to(client: &Client, namespace: &str, service: &str, pods: &BTreeSet<String>) -> Result<()> {
    let api = Api::<EndpointSlice>::namespaced(client.clone(), namespace);
    let of_service = watcher::Config::default().labels(&format!("kubernetes.io/service-name={service}"));
    let mut slices = std::pin::pin!(watcher(api, of_service).default_backoff().applied_objects());
    while let Some(slice) = slices.next().await {
        let Ok(slice) = slice else { continue };
        let serving = serving(&slice);
        if !serving.is_empty() && serving.is_subset(pods) {
            return Ok(());
        }
    }
    bail!("the watch of EndpointSlices ended")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_sets_of_the_deployment_count() {
        let set: ReplicaSet = serde_json::from_value(json!({"metadata": {"name": "api-1", "labels": {HASH: "1"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "api", "uid": "u", "controller": true}]},
            "spec": {"replicas": 3, "selector": {}}, "status": {"replicas": 3, "readyReplicas": 2}}))
        .expect("set");
        assert_eq!(of(&set, "u"), Some(PodSet { hash: "1".into(), wanted: 3, ready: 2 }));
        assert_eq!(of(&set, "another"), None);
    }

    #[test]
    fn endpoints_that_are_not_ready_take_no_traffic() {
        let endpoint = |pod: &str, ready: bool| json!({"addresses": ["10.0.0.1"], "conditions": {"ready": ready}, "targetRef": {"kind": "Pod", "name": pod}});
        let slice: EndpointSlice =
            serde_json::from_value(json!({"addressType": "IPv4", "metadata": {}, "endpoints": [endpoint("a", true), endpoint("b", false)]})).expect("slice");
        assert_eq!(serving(&slice), ["a".to_owned()].into());
    }
}

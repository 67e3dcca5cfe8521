//! What a namespace holds at one moment: the input of diagnosis and checks.

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{Event, Node, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::apps::v1::ReplicaSet;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::kube_aggregator::pkg::apis::apiregistration::v1::APIService;
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, Resource};
use k8s_openapi::NamespaceResourceScope;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// How many lines of a container's log are kept.
const LOG_LINES: i64 = 20;

/// Objects of a namespace (and the nodes) as the API server gave them. Empty lists are fine: what is pure works on any part.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Pods.
    pub pods: Vec<Pod>,
    /// Kubernetes Events.
    pub events: Vec<Event>,
    /// ReplicaSets.
    pub replica_sets: Vec<ReplicaSet>,
    /// PersistentVolumeClaims.
    pub claims: Vec<PersistentVolumeClaim>,
    /// Services.
    pub services: Vec<Service>,
    /// EndpointSlices.
    pub slices: Vec<EndpointSlice>,
    /// HorizontalPodAutoscalers.
    pub autoscalers: Vec<HorizontalPodAutoscaler>,
    /// PodDisruptionBudgets.
    pub budgets: Vec<PodDisruptionBudget>,
    /// Nodes of the cluster.
    pub nodes: Vec<Node>,
    /// Aggregated APIs of the cluster.
    pub api_services: Vec<APIService>,
    /// The metrics that aggregated APIs serve, by API group, as discovery names them: `pods/http_requests_per_second`. A group
    /// that no autoscaler asks, or that did not answer, is not in it.
    pub metrics_served: BTreeMap<String, Vec<String>>,
    /// The last log lines of containers that crashed, by pod and container.
    pub logs: BTreeMap<(String, String), String>,
}

/// The API group of CPU and memory.
pub const RESOURCE_METRICS: &str = "metrics.k8s.io";

/// The API group that serves metrics of a type, as an autoscaler names it.
pub fn metrics_group(metric_type: &str) -> &'static str {
    match metric_type {
        "Resource" | "ContainerResource" => RESOURCE_METRICS,
        "External" => "external.metrics.k8s.io",
        _ => "custom.metrics.k8s.io",
    }
}

async fn list<K>(client: &Client, namespace: &str) -> Result<Vec<K>, kube::Error>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + Debug,
{
    Ok(Api::<K>::namespaced(client.clone(), namespace).list(&ListParams::default()).await?.items)
}

impl Snapshot {
    /// What diagnosis needs: pods, Events, ReplicaSets, claims and the last log lines of crashed containers.
    ///
    /// # Errors
    /// When the API server cannot be asked. A log that cannot be read is no error: it is left out.
    pub async fn for_diagnosis(client: &Client, namespace: &str) -> Result<Self, kube::Error> {
        let (pods, events, replica_sets, claims) =
            tokio::try_join!(list(client, namespace), list(client, namespace), list(client, namespace), list(client, namespace))?;
        let mut snapshot = Snapshot { pods, events, replica_sets, claims, ..Snapshot::default() };
        snapshot.read_logs(client, namespace).await;
        Ok(snapshot)
    }

    /// Everything that the checks look at.
    ///
    /// # Errors
    /// When the API server cannot be asked.
    pub async fn for_checks(client: &Client, namespace: &str) -> Result<Self, kube::Error> {
        let base = Self::for_diagnosis(client, namespace).await?;
        let (services, slices, autoscalers, budgets) =
            tokio::try_join!(list(client, namespace), list(client, namespace), list(client, namespace), list(client, namespace))?;
        let nodes = Api::<Node>::all(client.clone()).list(&ListParams::default()).await?.items;
        let api_services = Api::<APIService>::all(client.clone()).list(&ListParams::default()).await?.items;
        let mut snapshot = Snapshot { services, slices, autoscalers, budgets, nodes, api_services, ..base };
        snapshot.read_metrics_served(client).await;
        Ok(snapshot)
    }

    /// Asks the APIs of metrics that are no pod's CPU or memory what they serve. One that does not answer is left out.
    async fn read_metrics_served(&mut self, client: &Client) {
        let metrics = self.autoscalers.iter().filter_map(|a| a.spec.as_ref()).flat_map(|s| s.metrics.iter().flatten());
        let groups: BTreeSet<&str> = metrics.map(|m| metrics_group(&m.type_)).filter(|g| *g != RESOURCE_METRICS).collect();
        for group in groups {
            let served = self.api_services.iter().filter_map(|a| a.spec.as_ref()).find(|s| s.group.as_deref() == Some(group));
            let Some(version) = served.and_then(|s| s.version.as_deref()) else { continue };
            if let Ok(list) = client.list_api_group_resources(&format!("{group}/{version}")).await {
                self.metrics_served.insert(group.to_owned(), list.resources.into_iter().map(|r| r.name).collect());
            }
        }
    }

    async fn read_logs(&mut self, client: &Client, namespace: &str) {
        let api = Api::<Pod>::namespaced(client.clone(), namespace);
        for pod in &self.pods {
            let name = pod.metadata.name.clone().unwrap_or_default();
            let Some(status) = &pod.status else { continue };
            let all = status.init_container_statuses.iter().flatten().chain(status.container_statuses.iter().flatten());
            for container in all.filter(|c| !c.ready) {
                let ended = |state: &Option<k8s_openapi::api::core::v1::ContainerState>| {
                    state.as_ref().and_then(|s| s.terminated.as_ref()).is_some_and(|t| t.exit_code != 0)
                };
                // The log of the life that ended badly: the present one, else the one before.
                let previous = match (ended(&container.state), ended(&container.last_state)) {
                    (true, _) => false,
                    (false, true) => true,
                    (false, false) => continue,
                };
                let wanted = LogParams { container: Some(container.name.clone()), previous, tail_lines: Some(LOG_LINES), ..LogParams::default() };
                if let Ok(text) = api.logs(&name, &wanted).await {
                    self.logs.insert((name.clone(), container.name.clone()), text);
                }
            }
        }
    }
}

/// The name of the controller of `kind` that owns an object.
pub fn owner<'a>(resource: &'a impl Resource<DynamicType = ()>, kind: &str) -> Option<&'a str> {
    let owners = resource.meta().owner_references.iter().flatten();
    owners.into_iter().find(|o| o.controller == Some(true) && o.kind == kind).map(|o| o.name.as_str())
}

/// An object's name; empty when it has none.
pub fn name(resource: &impl Resource<DynamicType = ()>) -> &str {
    resource.meta().name.as_deref().unwrap_or_default()
}

/// Whether a pod is Ready and not on its way out.
pub fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|s| s.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|c| c.type_ == "Ready" && c.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// Whether a pod still counts: neither finished nor on its way out.
pub fn is_active(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|s| s.phase.as_deref()).unwrap_or("Pending");
    pod.metadata.deletion_timestamp.is_none() && phase != "Succeeded" && phase != "Failed"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::checks::objects::typed;
    use crate::deploy::fake_api::{serve_kinds, start};
    use serde_json::json;

    #[tokio::test]
    async fn what_a_metrics_api_serves_is_asked_only_where_an_autoscaler_wants_it() {
        let (server, client) = start().await;
        serve_kinds(&server, "custom.metrics.k8s.io/v1beta1", &[("MetricValueList", "pods/queue_size", true)]).await;
        let api = |group: &str| typed(json!({"metadata": {"name": group}, "spec": {"group": group, "version": "v1beta1", "groupPriorityMinimum": 1, "versionPriority": 1}}));
        let autoscaler = |kind: &str| typed(json!({"spec": {"maxReplicas": 2, "scaleTargetRef": {"kind": "Deployment", "name": "a"}, "metrics": [{"type": kind}]}}));
        let apis = || vec![api("metrics.k8s.io"), api("custom.metrics.k8s.io"), api("external.metrics.k8s.io")];
        let mut of_pods = Snapshot { autoscalers: vec![autoscaler("Pods"), autoscaler("External")], api_services: apis(), ..Snapshot::default() };
        of_pods.read_metrics_served(&client).await;
        assert_eq!(of_pods.metrics_served, [("custom.metrics.k8s.io".to_owned(), vec!["pods/queue_size".to_owned()])].into(), "the other does not answer");
        let asked = server.received_requests().await.expect("log").len();
        let mut of_cpu = Snapshot { autoscalers: vec![autoscaler("Resource")], api_services: apis(), ..Snapshot::default() };
        of_cpu.read_metrics_served(&client).await;
        assert!(of_cpu.metrics_served.is_empty());
        assert_eq!(server.received_requests().await.expect("log").len(), asked);
    }
}

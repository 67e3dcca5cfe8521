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
use std::collections::BTreeMap;
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
    /// The last log lines of containers that crashed, by pod and container.
    pub logs: BTreeMap<(String, String), String>,
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
        Ok(Snapshot { services, slices, autoscalers, budgets, nodes, api_services, ..base })
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

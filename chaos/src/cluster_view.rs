//! What chaos knows of the cluster at one moment: plain data, so that plans and conditions are pure.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Node, Pod};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use std::collections::BTreeMap;

/// A pod of the platform's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// Its UID: a replaced pod of a StatefulSet has the same name and another UID.
    pub uid: String,
    /// The node it is bound to; empty while it is not scheduled.
    pub node: String,
    /// Condition Ready is True.
    pub ready: bool,
    /// It has a deletion timestamp.
    pub terminating: bool,
    /// It has run to its end.
    pub finished: bool,
    /// The workload it belongs to, `Kind/name`.
    pub workload: Option<String>,
    /// It belongs to a DaemonSet, so a drain leaves it.
    pub daemon: bool,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeView {
    /// Its name.
    pub name: String,
    /// Condition Ready is True (False and Unknown are not).
    pub ready: bool,
    /// `status` of condition Ready: `True`, `False`, `Unknown`.
    pub ready_status: String,
    /// It is cordoned.
    pub unschedulable: bool,
    /// It runs the control plane.
    pub control_plane: bool,
    /// Its label `topology.kubernetes.io/zone`; empty without one.
    pub zone: String,
}

/// A Deployment or StatefulSet of the platform's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkloadView {
    /// `Kind/name`.
    pub id: String,
    /// `spec.replicas`.
    pub desired: i32,
    /// `status.readyReplicas`.
    pub ready: i32,
    /// `status.observedGeneration` has reached `metadata.generation`.
    pub observed: bool,
}

/// A PodDisruptionBudget of the platform's namespace.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BudgetView {
    /// Its name.
    pub name: String,
    /// `status.currentHealthy`.
    pub current_healthy: i32,
    /// `status.desiredHealthy`.
    pub desired_healthy: i32,
    /// `status.disruptionsAllowed`.
    pub disruptions_allowed: i32,
    /// The status speaks of the current spec.
    pub observed: bool,
    /// Pods it selects now, by name.
    pub pods: Vec<String>,
}

/// The platform's namespace and the nodes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ClusterView {
    /// The platform's namespace: nothing of another one is in here but nodes.
    pub namespace: String,
    /// Pods.
    pub pods: Vec<PodView>,
    /// Nodes.
    pub nodes: Vec<NodeView>,
    /// Workloads.
    pub workloads: Vec<WorkloadView>,
    /// Budgets.
    pub budgets: Vec<BudgetView>,
}

/// The label that kubeadm (and so kind) puts on control-plane nodes.
const CONTROL_PLANE: &str = "node-role.kubernetes.io/control-plane";
/// The label of a node's zone.
const ZONE: &str = "topology.kubernetes.io/zone";

/// True when a selector matches labels. A selector that cannot be read matches nothing; so does an absent one.
fn selects(selector: Option<&LabelSelector>, labels: &BTreeMap<String, String>) -> bool {
    selector.is_some_and(|s| Selector::try_from(s.clone()).is_ok_and(|s| s.matches(labels)))
}

/// `metadata.generation` has been acted upon.
fn observed(generation: Option<i64>, observed: Option<i64>) -> bool {
    observed.unwrap_or(0) >= generation.unwrap_or(0)
}

/// True when the node's condition Ready is True; with the condition's status as text.
pub fn node_ready(node: &Node) -> (bool, String) {
    let conditions = node.status.as_ref().and_then(|s| s.conditions.as_ref());
    let status = conditions.and_then(|c| c.iter().find(|c| c.type_ == "Ready")).map(|c| c.status.clone());
    let status = status.unwrap_or_else(|| "Unknown".to_owned());
    (status == "True", status)
}

/// One node as data.
pub fn node_view(node: &Node) -> NodeView {
    let (ready, ready_status) = node_ready(node);
    NodeView {
        name: node.metadata.name.clone().unwrap_or_default(),
        ready,
        ready_status,
        unschedulable: node.spec.as_ref().and_then(|s| s.unschedulable).unwrap_or(false),
        control_plane: node.metadata.labels.as_ref().is_some_and(|l| l.contains_key(CONTROL_PLANE)),
        zone: node.metadata.labels.as_ref().and_then(|l| l.get(ZONE)).cloned().unwrap_or_default(),
    }
}

/// A Deployment as data.
pub fn deployment_view(d: &Deployment) -> WorkloadView {
    let status = d.status.clone().unwrap_or_default();
    WorkloadView {
        id: format!("Deployment/{}", d.metadata.name.as_deref().unwrap_or_default()),
        desired: d.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
        ready: status.ready_replicas.unwrap_or(0),
        observed: observed(d.metadata.generation, status.observed_generation),
    }
}

/// A StatefulSet as data.
pub fn stateful_set_view(s: &StatefulSet) -> WorkloadView {
    let status = s.status.clone().unwrap_or_default();
    WorkloadView {
        id: format!("StatefulSet/{}", s.metadata.name.as_deref().unwrap_or_default()),
        desired: s.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
        ready: status.ready_replicas.unwrap_or(0),
        observed: observed(s.metadata.generation, status.observed_generation),
    }
}

/// A pod as data. Its Deployment is looked for in `deployments`.
pub fn pod_view(pod: &Pod, deployments: &[Deployment]) -> PodView {
    let labels = pod.metadata.labels.clone().unwrap_or_default();
    let owner = pod.metadata.owner_references.iter().flatten().find(|o| o.controller == Some(true));
    let workload = match owner {
        Some(o) if o.kind == "StatefulSet" || o.kind == "DaemonSet" || o.kind == "Job" => Some(format!("{}/{}", o.kind, o.name)),
        // Between a pod and its Deployment stands a ReplicaSet; the Deployment's selector names the same pods.
        Some(o) if o.kind == "ReplicaSet" => deployments
            .iter()
            .find(|d| selects(d.spec.as_ref().map(|s| &s.selector), &labels))
            .map(|d| format!("Deployment/{}", d.metadata.name.as_deref().unwrap_or_default())),
        _ => None,
    };
    let status = pod.status.clone().unwrap_or_default();
    let ready = status.conditions.iter().flatten().any(|c| c.type_ == "Ready" && c.status == "True");
    PodView {
        name: pod.metadata.name.clone().unwrap_or_default(),
        uid: pod.metadata.uid.clone().unwrap_or_default(),
        node: pod.spec.as_ref().and_then(|s| s.node_name.clone()).unwrap_or_default(),
        ready,
        terminating: pod.metadata.deletion_timestamp.is_some(),
        finished: matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")),
        daemon: owner.is_some_and(|o| o.kind == "DaemonSet"),
        workload,
        labels,
    }
}

fn budget_view(budget: &PodDisruptionBudget, pods: &[PodView]) -> BudgetView {
    let status = budget.status.clone().unwrap_or_default();
    let selector = budget.spec.as_ref().and_then(|s| s.selector.as_ref());
    BudgetView {
        name: budget.metadata.name.clone().unwrap_or_default(),
        current_healthy: status.current_healthy,
        desired_healthy: status.desired_healthy,
        disruptions_allowed: status.disruptions_allowed,
        observed: observed(budget.metadata.generation, status.observed_generation),
        pods: pods.iter().filter(|p| selects(selector, &p.labels)).map(|p| p.name.clone()).collect(),
    }
}

impl ClusterView {
    /// The view of Kubernetes objects, sorted by name so that the same cluster gives the same view.
    pub fn of(
        namespace: &str,
        pods: &[Pod],
        nodes: &[Node],
        deployments: &[Deployment],
        stateful_sets: &[StatefulSet],
        budgets: &[PodDisruptionBudget],
    ) -> Self {
        let in_namespace = |pod: &&Pod| pod.metadata.namespace.as_deref() == Some(namespace);
        let mut pods: Vec<_> = pods.iter().filter(in_namespace).map(|p| pod_view(p, deployments)).collect();
        pods.sort_by(|a, b| (&a.node, &a.name).cmp(&(&b.node, &b.name)));
        let mut nodes: Vec<_> = nodes.iter().map(node_view).collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        let mut workloads: Vec<_> = deployments.iter().map(deployment_view).collect();
        workloads.extend(stateful_sets.iter().map(stateful_set_view));
        workloads.sort_by(|a, b| a.id.cmp(&b.id));
        let mut budgets: Vec<_> = budgets.iter().map(|b| budget_view(b, &pods)).collect();
        budgets.sort_by(|a, b| a.name.cmp(&b.name));
        ClusterView { namespace: namespace.to_owned(), pods, nodes, workloads, budgets }
    }

    /// The node of that name.
    pub fn node(&self, name: &str) -> Option<&NodeView> {
        self.nodes.iter().find(|n| n.name == name)
    }

    /// Pods of a workload, `Kind/name`.
    pub fn pods_of<'a>(&'a self, workload: &'a str) -> impl Iterator<Item = &'a PodView> {
        self.pods.iter().filter(move |p| p.workload.as_deref() == Some(workload))
    }

    /// Budgets that select a pod.
    pub fn budgets_of<'a>(&'a self, pod: &'a str) -> impl Iterator<Item = &'a BudgetView> {
        self.budgets.iter().filter(move |b| b.pods.iter().any(|p| p == pod))
    }
}

#[cfg(test)]
pub(crate) mod sample {
    //! A small cluster: a control plane, two workers, a service of three pods with a budget of two, and its store.
    use super::*;
    use gauntlet_fixtures::platform::{Experiment, Target};

    pub const SERVICE: &str = "Deployment/order";
    pub const STORE: &str = "StatefulSet/db";

    pub fn pod(name: &str, node: &str, workload: &str) -> PodView {
        PodView {
            name: name.into(),
            uid: format!("uid-{name}"),
            node: node.into(),
            ready: true,
            workload: Some(workload.into()),
            labels: [("app".to_owned(), workload.to_owned())].into(),
            ..Default::default()
        }
    }

    /// An experiment named like its fault, on a workload: within 60 s, and nothing may fail.
    pub fn spec(fault: &str, workload: &str) -> Experiment {
        Experiment {
            name: fault.into(),
            fault: fault.into(),
            target: target(workload, &[]),
            hold_seconds: 0,
            rto_seconds: 60,
            error_budget: 0.0,
            error_budget_outside: 0.0,
            stores: vec![],
            alerts: vec![],
            profiles: vec![],
            script: None,
        }
    }

    pub fn target(workload: &str, spare: &[&str]) -> Target {
        Target { workload: workload.into(), ordinal: None, spare: spare.iter().map(|s| (*s).to_owned()).collect() }
    }

    pub fn node(name: &str) -> NodeView {
        NodeView { name: name.into(), ready: true, ready_status: "True".into(), ..Default::default() }
    }

    pub fn cluster() -> ClusterView {
        let workload = |id: &str, n| WorkloadView { id: id.into(), desired: n, ready: n, observed: true };
        ClusterView {
            namespace: "shop".into(),
            pods: vec![
                pod("order-a", "worker-1", SERVICE),
                pod("order-b", "worker-2", SERVICE),
                pod("order-c", "worker-2", SERVICE),
                pod("db-0", "worker-1", STORE),
            ],
            nodes: vec![NodeView { control_plane: true, ..node("control") }, node("worker-1"), node("worker-2")],
            workloads: vec![workload(SERVICE, 3), workload(STORE, 1)],
            budgets: vec![BudgetView {
                name: "order".into(),
                current_healthy: 3,
                desired_healthy: 2,
                disruptions_allowed: 1,
                observed: true,
                pods: ["order-a", "order-b", "order-c"].map(String::from).to_vec(),
            }],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pods_find_their_deployment_and_their_budget_and_strangers_stay_out() {
        let pod = |ns: &str, name: &str| -> Pod {
            serde_json::from_value(json!({
                "metadata": {"name": name, "namespace": ns, "uid": name, "labels": {"app": "order"},
                    "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "order-1", "uid": "r", "controller": true}]},
                "spec": {"nodeName": "w1", "containers": []},
                "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
            }))
            .expect("pod")
        };
        let deployment = serde_json::from_value(json!({
            "metadata": {"name": "order", "generation": 3},
            "spec": {"replicas": 2, "selector": {"matchLabels": {"app": "order"}}, "template": {}},
            "status": {"readyReplicas": 2, "observedGeneration": 2}
        }))
        .expect("deployment");
        let budget = serde_json::from_value(json!({
            "metadata": {"name": "order", "generation": 1},
            "spec": {"minAvailable": 1, "selector": {"matchExpressions": [{"key": "app", "operator": "In", "values": ["order"]}]}},
            "status": {"currentHealthy": 2, "desiredHealthy": 1, "disruptionsAllowed": 1, "expectedPods": 2, "observedGeneration": 1}
        }))
        .expect("budget");
        let node = serde_json::from_value(json!({
            "metadata": {"name": "w1"}, "spec": {"unschedulable": true},
            "status": {"conditions": [{"type": "Ready", "status": "Unknown"}]}
        }))
        .expect("node");
        let view = ClusterView::of("shop", &[pod("shop", "a"), pod("other", "b")], &[node], &[deployment], &[], &[budget]);
        assert_eq!(view.pods.len(), 1);
        assert_eq!(view.pods[0].workload.as_deref(), Some("Deployment/order"));
        assert_eq!(view.budgets_of("a").map(|b| b.name.as_str()).collect::<Vec<_>>(), ["order"]);
        assert!(!view.workloads[0].observed, "generation 3 is not observed yet");
        assert!(!view.nodes[0].ready && view.nodes[0].unschedulable && view.nodes[0].ready_status == "Unknown");
    }
}

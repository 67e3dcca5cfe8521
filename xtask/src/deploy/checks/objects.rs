//! Objects for the checks' tests, as the API server gives them.

use serde_json::{Value, json};

/// A typed object out of its JSON.
pub fn typed<T: serde::de::DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).expect("object of the API")
}

/// A running pod of the Deployment `order` (ReplicaSet `order-5d`) on a node.
pub fn pod(name: &str, node: &str, ready: bool) -> Value {
    json!({"metadata": {"name": name, "namespace": "globeco", "labels": {"app": "order"},
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "order-5d", "uid": "2", "controller": true}]},
        "spec": {"nodeName": node, "containers": [{"name": "order", "resources": {"requests": {"cpu": "100m", "memory": "64Mi"}}}]},
        "status": {"phase": "Running", "podIP": "10.244.1.5", "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "containerStatuses": [{"name": "order", "image": "", "imageID": "", "ready": ready, "restartCount": 0, "state": {"running": {}}}]}})
}

/// The ReplicaSet of [`pod`].
pub fn replica_set() -> Value {
    json!({"metadata": {"name": "order-5d", "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "order", "uid": "1", "controller": true}]},
        "spec": {"replicas": 3, "selector": {}}, "status": {"replicas": 3}})
}

/// A worker node in a zone.
pub fn node(name: &str, zone: &str) -> Value {
    json!({"metadata": {"name": name, "labels": {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": zone}}})
}

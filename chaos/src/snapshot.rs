//! The platform's objects and the nodes before an experiment, and what differs afterwards.

use crate::error::ChaosError;
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1::{ConfigMap, LimitRange, Node, PersistentVolume, PersistentVolumeClaim, Pod, ResourceQuota, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use kube::api::ListParams;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What was declared: objects by `Kind/name`, without what the cluster itself writes. Secrets are kept as hashes.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Snapshot {
    /// The objects.
    pub objects: BTreeMap<String, Value>,
    /// What is on its way: volumes that lost their claim, objects that are being deleted.
    pub leaving: BTreeSet<String>,
}

/// `metadata` that a person declared, with the UID: a deleted and made-again object is another one.
fn declared_metadata(object: &Value) -> Value {
    let mut kept = Map::new();
    for key in ["labels", "annotations", "ownerReferences", "uid"] {
        if let Some(value) = object.pointer(&format!("/metadata/{key}")) {
            kept.insert(key.to_owned(), value.clone());
        }
    }
    Value::Object(kept)
}

fn hash(value: &Value) -> Value {
    let bytes = serde_json::to_vec(value).unwrap_or_default();
    json!(format!("sha256:{}", hex(&Sha256::digest(bytes))))
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// One object without what the cluster itself writes. `scaled` are the workloads (`Kind/name`) whose replicas an HPA owns.
pub fn declared(kind: &str, name: &str, object: &Value, scaled: &BTreeSet<String>) -> Value {
    let mut kept = Map::new();
    kept.insert("metadata".to_owned(), declared_metadata(object));
    for (key, value) in object.as_object().into_iter().flatten() {
        match (kind, key.as_str()) {
            (_, "metadata" | "status" | "apiVersion" | "kind") => {}
            ("Secret", "data" | "stringData") => drop(kept.insert(key.clone(), hash(value))),
            _ => drop(kept.insert(key.clone(), value.clone())),
        }
    }
    let mut kept = Value::Object(kept);
    if scaled.contains(&format!("{kind}/{name}"))
        && let Some(spec) = kept.pointer_mut("/spec").and_then(Value::as_object_mut)
    {
        spec.remove("replicas");
    }
    kept
}

/// A node: what a fault may leave behind on it.
pub fn declared_node(object: &Value) -> Value {
    let mut taints: Vec<Value> = object.pointer("/spec/taints").and_then(Value::as_array).cloned().unwrap_or_default();
    for taint in taints.iter_mut().filter_map(Value::as_object_mut) {
        taint.remove("timeAdded");
    }
    taints.sort_by_key(Value::to_string);
    json!({
        "labels": object.pointer("/metadata/labels").cloned().unwrap_or(Value::Null),
        "unschedulable": object.pointer("/spec/unschedulable").and_then(Value::as_bool).unwrap_or(false),
        "taints": taints,
        "uid": object.pointer("/metadata/uid").cloned().unwrap_or(Value::Null),
    })
}

fn differences(path: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            for key in a.keys().chain(b.keys().filter(|k| !a.contains_key(*k))) {
                let part = |m: &Map<String, Value>| m.get(key).cloned().unwrap_or(Value::Null);
                differences(&format!("{path}.{key}"), &part(a), &part(b), found);
            }
        }
        (a, b) if a == b => {}
        (a, b) => found.push(format!("{path}: {} became {}", short(a), short(b))),
    }
}

fn short(value: &Value) -> String {
    let text = if value.is_null() { "absent".to_owned() } else { value.to_string() };
    if text.chars().count() <= 80 { text } else { format!("{}…", text.chars().take(80).collect::<String>()) }
}

/// What is different, each as `Kind/name.field: before became after`. Empty: equal.
pub fn compare(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    let mut found = Vec::new();
    for (id, object) in &before.objects {
        match after.objects.get(id) {
            Some(now) => differences(id, object, now, &mut found),
            None => found.push(format!("{id} is gone")),
        }
    }
    found.extend(after.objects.keys().filter(|id| !before.objects.contains_key(*id)).map(|id| format!("{id} is new")));
    found
}

/// What is left over at the second snapshot that was not at the first.
pub fn left_over(before: &Snapshot, after: &Snapshot) -> Vec<String> {
    after.leaving.difference(&before.leaving).cloned().collect()
}

/// A volume of the namespace that lost its claim.
pub fn orphaned(volume: &PersistentVolume, namespace: &str) -> Option<String> {
    let of_ours = volume.spec.as_ref()?.claim_ref.as_ref()?.namespace.as_deref() == Some(namespace);
    let phase = volume.status.as_ref()?.phase.as_deref().filter(|p| ["Released", "Failed"].contains(p))?;
    of_ours.then(|| format!("PersistentVolume/{} is {phase}", volume.metadata.name.as_deref().unwrap_or_default()))
}

async fn list<K>(client: &Client, namespace: &str) -> Result<Vec<(String, Value)>, ChaosError>
where
    K: Resource<DynamicType = (), Scope = k8s_openapi::NamespaceResourceScope> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let kind = K::kind(&());
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let objects = api.list(&ListParams::default()).await.map_err(ChaosError::kubernetes(format!("list {kind}")))?;
    let named = objects.items.into_iter().map(|o| (o.meta().name.clone().unwrap_or_default(), o));
    Ok(named.map(|(name, o)| (name, serde_json::to_value(o).unwrap_or_default())).collect())
}

/// Workloads whose replicas an HPA owns, from the HPAs' `scaleTargetRef`.
fn scaled_workloads(hpas: &[(String, Value)]) -> BTreeSet<String> {
    let text = |v: &Value, p: &str| v.pointer(p).and_then(Value::as_str).unwrap_or_default().to_owned();
    hpas.iter().map(|(_, h)| format!("{}/{}", text(h, "/spec/scaleTargetRef/kind"), text(h, "/spec/scaleTargetRef/name"))).collect()
}

impl Snapshot {
    /// Takes one of a namespace and of all nodes.
    ///
    /// # Errors
    /// When the API server does not list one of the kinds.
    pub async fn take(client: &Client, namespace: &str) -> Result<Self, ChaosError> {
        let hpas = list::<HorizontalPodAutoscaler>(client, namespace).await?;
        let scaled = scaled_workloads(&hpas);
        let (mut objects, mut leaving) = (BTreeMap::new(), BTreeSet::new());
        let mut keep = |kind: &str, found: Vec<(String, Value)>| {
            for (name, object) in found {
                if object.pointer("/metadata/deletionTimestamp").is_some_and(|t| !t.is_null()) {
                    leaving.insert(format!("{kind}/{name} is being deleted"));
                }
                // Pods come and go; only those that do not go are of interest.
                if kind == "Pod" {
                    continue;
                }
                objects.insert(format!("{kind}/{name}"), declared(kind, &name, &object, &scaled));
            }
        };
        keep("HorizontalPodAutoscaler", hpas);
        keep("Deployment", list::<Deployment>(client, namespace).await?);
        keep("StatefulSet", list::<StatefulSet>(client, namespace).await?);
        keep("DaemonSet", list::<DaemonSet>(client, namespace).await?);
        keep("CronJob", list::<CronJob>(client, namespace).await?);
        keep("Service", list::<Service>(client, namespace).await?);
        keep("ConfigMap", list::<ConfigMap>(client, namespace).await?);
        keep("Secret", list::<Secret>(client, namespace).await?);
        keep("ServiceAccount", list::<ServiceAccount>(client, namespace).await?);
        keep("Role", list::<Role>(client, namespace).await?);
        keep("RoleBinding", list::<RoleBinding>(client, namespace).await?);
        keep("Ingress", list::<Ingress>(client, namespace).await?);
        keep("NetworkPolicy", list::<NetworkPolicy>(client, namespace).await?);
        keep("PodDisruptionBudget", list::<PodDisruptionBudget>(client, namespace).await?);
        keep("ResourceQuota", list::<ResourceQuota>(client, namespace).await?);
        keep("LimitRange", list::<LimitRange>(client, namespace).await?);
        keep("Pod", list::<Pod>(client, namespace).await?);
        keep("PersistentVolumeClaim", list::<PersistentVolumeClaim>(client, namespace).await?);
        let nodes: Api<Node> = Api::all(client.clone());
        for node in nodes.list(&ListParams::default()).await.map_err(ChaosError::kubernetes("list nodes"))?.items {
            let name = node.metadata.name.clone().unwrap_or_default();
            objects.insert(format!("Node/{name}"), declared_node(&serde_json::to_value(node).unwrap_or_default()));
        }
        let volumes: Api<PersistentVolume> = Api::all(client.clone());
        let volumes = volumes.list(&ListParams::default()).await.map_err(ChaosError::kubernetes("list PersistentVolumes"))?;
        leaving.extend(volumes.items.iter().filter_map(|v| orphaned(v, namespace)));
        Ok(Snapshot { objects, leaving })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(replicas: i32, image: &str, version: &str) -> Value {
        json!({
            "metadata": {"name": "order", "uid": "u1", "resourceVersion": version, "generation": 4, "labels": {"app": "order"},
                "managedFields": [{"manager": version}]},
            "spec": {"replicas": replicas, "template": {"spec": {"containers": [{"image": image}]}}},
            "status": {"readyReplicas": replicas}
        })
    }

    fn snapshot(id: &str, value: Value) -> Snapshot {
        Snapshot { objects: [(id.to_owned(), value)].into(), ..Default::default() }
    }

    #[test]
    fn what_the_cluster_writes_is_no_difference() {
        let scaled = ["Deployment/order".to_owned()].into();
        let of = |object: &Value| snapshot("Deployment/order", declared("Deployment", "order", object, &scaled));
        assert_eq!(compare(&of(&deployment(3, "a", "1")), &of(&deployment(5, "a", "2"))), Vec::<String>::new());
        let changed = compare(&of(&deployment(3, "a", "1")), &of(&deployment(3, "b", "1")));
        assert_eq!(changed.len(), 1);
        assert!(changed[0].starts_with("Deployment/order.spec.template.spec.containers"), "{changed:?}");
    }

    #[test]
    fn replicas_matter_where_no_hpa_owns_them() {
        let of = |n| snapshot("Deployment/order", declared("Deployment", "order", &deployment(n, "a", "1"), &BTreeSet::new()));
        assert_eq!(compare(&of(3), &of(2)), ["Deployment/order.spec.replicas: 3 became 2"]);
    }

    #[test]
    fn the_hpa_names_whose_replicas_it_owns() {
        let hpa = json!({"spec": {"scaleTargetRef": {"kind": "Deployment", "name": "order"}}});
        assert_eq!(scaled_workloads(&[("h".into(), hpa)]), ["Deployment/order".to_owned()].into());
    }

    #[test]
    fn a_cordon_and_a_taint_left_behind_are_found() {
        let node = |spec: Value| snapshot("Node/w1", declared_node(&json!({"metadata": {"labels": {}, "annotations": {"a": "b"}}, "spec": spec})));
        let clean = node(json!({"podCIDR": "10.244.1.0/24"}));
        assert_eq!(compare(&clean, &node(json!({}))), Vec::<String>::new());
        assert_eq!(compare(&clean, &node(json!({"unschedulable": true}))), ["Node/w1.unschedulable: false became true"]);
        let tainted = node(json!({"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "now"}]}));
        assert_eq!(compare(&clean, &tainted).len(), 1);
    }

    #[test]
    fn lost_new_and_replaced_objects_are_found() {
        let pvc = |uid: &str| snapshot("PersistentVolumeClaim/data-db-0", json!({"metadata": {"uid": uid}}));
        assert_eq!(compare(&pvc("1"), &pvc("2")).len(), 1);
        assert_eq!(compare(&pvc("1"), &Snapshot::default()), ["PersistentVolumeClaim/data-db-0 is gone"]);
        assert_eq!(compare(&Snapshot::default(), &pvc("1")), ["PersistentVolumeClaim/data-db-0 is new"]);
    }

    #[test]
    fn a_volume_without_its_claim_and_what_does_not_go_are_left_over() {
        let volume = |namespace: &str, phase: &str| -> PersistentVolume {
            let value = json!({"metadata": {"name": "pv-1"}, "spec": {"claimRef": {"namespace": namespace}}, "status": {"phase": phase}});
            serde_json::from_value(value).expect("volume")
        };
        assert_eq!(orphaned(&volume("shop", "Released"), "shop").as_deref(), Some("PersistentVolume/pv-1 is Released"));
        assert_eq!((orphaned(&volume("shop", "Bound"), "shop"), orphaned(&volume("other", "Failed"), "shop")), (None, None));
        let of = |items: &[&str]| Snapshot { leaving: items.iter().map(|s| (*s).to_owned()).collect(), ..Default::default() };
        assert_eq!(left_over(&of(&["Pod/old is being deleted"]), &of(&["Pod/old is being deleted", "Pod/new is being deleted"])), ["Pod/new is being deleted"]);
    }

    #[test]
    fn a_changed_secret_is_seen_and_never_shown() {
        let of = |v: &str| snapshot("Secret/s", declared("Secret", "s", &json!({"data": {"password": v}}), &BTreeSet::new()));
        let found = compare(&of("aHVudGVyMg=="), &of("b3RoZXI="));
        assert_eq!(found.len(), 1);
        assert!(!found[0].contains("aHVudGVyMg"), "{found:?}");
    }
}

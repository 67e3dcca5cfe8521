//! A store alone in a fresh namespace: its StatefulSet, Services, Secrets and ConfigMaps, copied from the live objects.

use crate::error::ChaosError;
use crate::recover::MANAGED_BY;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::StatefulSet;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use kube::api::{ListParams, PostParams};
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// What a pod template refers to by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct References {
    /// Secrets.
    pub secrets: BTreeSet<String>,
    /// ConfigMaps.
    pub config_maps: BTreeSet<String>,
}

/// Finds every Secret and ConfigMap that a template names: environment, volumes, projected volumes, pull secrets.
pub fn references(template: &Value) -> References {
    let mut found = References::default();
    walk(template, &mut found);
    found
}

fn walk(value: &Value, found: &mut References) {
    let name = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
    match value {
        Value::Array(items) => items.iter().for_each(|v| walk(v, found)),
        Value::Object(fields) => {
            for (key, inner) in fields {
                match key.as_str() {
                    "secretKeyRef" | "secretRef" => found.secrets.extend(name(inner, "name")),
                    "secret" => found.secrets.extend(name(inner, "secretName").or_else(|| name(inner, "name"))),
                    "configMapKeyRef" | "configMapRef" | "configMap" => found.config_maps.extend(name(inner, "name")),
                    "imagePullSecrets" => found.secrets.extend(inner.as_array().into_iter().flatten().filter_map(|s| name(s, "name"))),
                    _ => {}
                }
                walk(inner, found);
            }
        }
        _ => {}
    }
}

/// A live object as it is applied to another namespace: without what the cluster wrote, marked as ours, and with the old
/// namespace's DNS names turned into the new one's (the copy must not reach the source).
pub fn stripped(object: &Value, from: &str, to: &str) -> Value {
    let mut copy = object.clone();
    if let Some(fields) = copy.as_object_mut() {
        fields.remove("status");
    }
    let mut metadata = Map::new();
    for key in ["name", "labels", "annotations"] {
        if let Some(value) = object.pointer(&format!("/metadata/{key}")) {
            metadata.insert(key.to_owned(), value.clone());
        }
    }
    metadata.insert("namespace".to_owned(), json!(to));
    let labels = metadata.entry("labels").or_insert_with(|| json!({}));
    labels[MANAGED_BY.0] = json!(MANAGED_BY.1);
    if let Some(annotations) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    copy["metadata"] = Value::Object(metadata);
    if let Some(spec) = copy.get_mut("spec").and_then(Value::as_object_mut) {
        // Addresses are given by the cluster; "None" is a declaration.
        if spec.get("clusterIP").is_some_and(|ip| ip != "None") {
            spec.remove("clusterIP");
        }
        spec.remove("clusterIPs");
        spec.remove("healthCheckNodePort");
        for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
            port.as_object_mut().map(|p| p.remove("nodePort"));
        }
    }
    if let Some(fields) = copy.as_object_mut().filter(|f| f.contains_key("secrets") && !f.contains_key("spec")) {
        fields.remove("secrets");
    }
    rename(&mut copy, &format!(".{from}.svc"), &format!(".{to}.svc"));
    copy
}

fn rename(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) if text.contains(from) => *text = text.replace(from, to),
        Value::Array(items) => items.iter_mut().for_each(|v| rename(v, from, to)),
        Value::Object(fields) => fields.values_mut().for_each(|v| rename(v, from, to)),
        _ => {}
    }
}

/// True when a Service selects pods with these labels.
fn selects(service: &Value, labels: &Value) -> bool {
    let selector = service.pointer("/spec/selector").and_then(Value::as_object);
    selector.is_some_and(|s| !s.is_empty() && s.iter().all(|(k, v)| labels.get(k) == Some(v)))
}

async fn read<K>(client: &Client, namespace: &str, name: &str) -> Result<Value, ChaosError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    let object = api.get(name).await.map_err(ChaosError::kubernetes(format!("read {} {name}", K::kind(&()))))?;
    Ok(serde_json::to_value(object).unwrap_or_default())
}

async fn create<K>(client: &Client, namespace: &str, value: Value) -> Result<(), ChaosError>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Serialize + std::fmt::Debug,
{
    let name = value.pointer("/metadata/name").and_then(Value::as_str).unwrap_or_default();
    let what = format!("create {} {name} in namespace {namespace}", K::kind(&()));
    let object: K = serde_json::from_value(value.clone()).map_err(|e| ChaosError::Platform(format!("{what}: {e}")))?;
    let api: Api<K> = Api::namespaced(client.clone(), namespace);
    match api.create(&PostParams::default(), &object).await {
        // The namespace's own controllers make the default ServiceAccount and the root certificate's ConfigMap.
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        Err(error) => Err(ChaosError::kubernetes(what)(error)),
    }
}

/// Makes the namespace and copies one store into it. Nothing of the source is changed.
///
/// # Errors
/// When an object cannot be read or created.
pub async fn copy_store(client: &Client, from: &str, to: &str, stateful_set: &str, secret: Option<&str>) -> Result<(), ChaosError> {
    let namespaces: Api<Namespace> = Api::all(client.clone());
    let source = namespaces.get(from).await.map_err(ChaosError::kubernetes(format!("read namespace {from}")))?;
    let mut labels: Map<String, Value> = Map::new();
    // The restored store must live under the same Pod Security Standard.
    let security = source.metadata.labels.into_iter().flatten().filter(|(k, _)| k.starts_with("pod-security.kubernetes.io/"));
    labels.extend(security.map(|(k, v)| (k, json!(v))));
    labels.insert(MANAGED_BY.0.to_owned(), json!(MANAGED_BY.1));
    let namespace = json!({"metadata": {"name": to, "labels": labels}});
    let namespace: Namespace = serde_json::from_value(namespace).map_err(|e| ChaosError::Platform(e.to_string()))?;
    let action = format!("create namespace {to}");
    namespaces.create(&PostParams::default(), &namespace).await.map_err(ChaosError::kubernetes(action))?;

    let set = read::<StatefulSet>(client, from, stateful_set).await?;
    let template = set.pointer("/spec/template").cloned().unwrap_or_default();
    let mut refer = references(&template);
    refer.secrets.extend(secret.map(str::to_owned));
    for name in &refer.secrets {
        let object = read::<Secret>(client, from, name).await?;
        create::<Secret>(client, to, stripped(&object, from, to)).await?;
    }
    for name in &refer.config_maps {
        let object = read::<ConfigMap>(client, from, name).await?;
        create::<ConfigMap>(client, to, stripped(&object, from, to)).await?;
    }
    if let Some(account) = template.pointer("/spec/serviceAccountName").and_then(Value::as_str) {
        let object = read::<ServiceAccount>(client, from, account).await?;
        create::<ServiceAccount>(client, to, stripped(&object, from, to)).await?;
    }
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
    let services: Api<Service> = Api::namespaced(client.clone(), from);
    let listed = services.list(&ListParams::default()).await.map_err(ChaosError::kubernetes("list services"))?;
    for service in listed.items {
        let service = serde_json::to_value(service).unwrap_or_default();
        if selects(&service, &labels) {
            create::<Service>(client, to, stripped(&service, from, to)).await?;
        }
    }
    create::<StatefulSet>(client, to, stripped(&set, from, to)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_name_a_secret_or_a_config_map_is_found() {
        let template = json!({"spec": {
            "imagePullSecrets": [{"name": "pull"}],
            "containers": [{"env": [
                {"name": "A", "valueFrom": {"secretKeyRef": {"name": "s1", "key": "k"}}},
                {"name": "B", "valueFrom": {"configMapKeyRef": {"name": "c1", "key": "k"}}}],
                "envFrom": [{"secretRef": {"name": "s2"}}, {"configMapRef": {"name": "c2"}}]}],
            "volumes": [{"name": "v1", "secret": {"secretName": "s3"}}, {"name": "v2", "configMap": {"name": "c3"}},
                {"name": "v3", "projected": {"sources": [{"secret": {"name": "s4"}}, {"configMap": {"name": "c4"}}]}}]}});
        let found = references(&template);
        assert_eq!(found.secrets.iter().collect::<Vec<_>>(), ["pull", "s1", "s2", "s3", "s4"]);
        assert_eq!(found.config_maps.iter().collect::<Vec<_>>(), ["c1", "c2", "c3", "c4"]);
        assert_eq!(references(&json!({"spec": {"containers": [{"name": "secret"}]}})), References::default());
    }

    #[test]
    fn a_copy_is_ours_and_does_not_reach_the_source() {
        let live = json!({
            "metadata": {"name": "db", "namespace": "shop", "uid": "u", "resourceVersion": "9", "managedFields": [], "ownerReferences": [{}],
                "labels": {"app": "db"}, "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "keep": "1"}},
            "spec": {"clusterIP": "10.96.1.1", "clusterIPs": ["10.96.1.1"], "ports": [{"port": 1, "nodePort": 30001}],
                "x": "mongodb://db.shop.svc.cluster.local:27017"},
            "status": {"x": 1}
        });
        assert_eq!(
            stripped(&live, "shop", "shop-restore"),
            json!({
                "metadata": {"name": "db", "namespace": "shop-restore", "annotations": {"keep": "1"},
                    "labels": {"app": "db", "app.kubernetes.io/managed-by": "gauntlet"}},
                "spec": {"ports": [{"port": 1}], "x": "mongodb://db.shop-restore.svc.cluster.local:27017"}
            })
        );
        let headless = json!({"metadata": {"name": "db"}, "spec": {"clusterIP": "None"}});
        assert_eq!(stripped(&headless, "shop", "r").pointer("/spec/clusterIP"), Some(&json!("None")));
    }

    #[test]
    fn only_services_of_the_store_are_copied() {
        let service = |selector: Value| json!({"spec": {"selector": selector}});
        let labels = json!({"app": "db", "tier": "data"});
        assert!(selects(&service(json!({"app": "db"})), &labels));
        assert!(!selects(&service(json!({"app": "order"})), &labels));
        assert!(!selects(&service(json!({})), &labels));
    }
}

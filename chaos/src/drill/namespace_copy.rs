//! A store alone in a fresh namespace: its StatefulSet, what it cannot do without, and their Services, Secrets and
//! ConfigMaps, copied from the live objects.

use crate::error::ChaosError;
use crate::recover::MANAGED_BY;
use crate::store::kind_and_name;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
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

/// From one namespace to another.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Move<'a> {
    /// The platform's namespace.
    pub from: &'a str,
    /// The fresh one.
    pub to: &'a str,
    /// Services of the platform's namespace: the names that its host names begin with.
    pub services: BTreeSet<String>,
}

/// A live object as it is applied to another namespace: without what the cluster wrote, marked as ours, and with the old
/// namespace's DNS names turned into the new one's (the copy must not reach the source).
pub fn stripped(object: &Value, way: &Move<'_>) -> Value {
    let to = way.to;
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
    way.rename(&mut copy);
    copy
}

impl Move<'_> {
    fn rename(&self, value: &mut Value) {
        match value {
            Value::String(text) if text.contains(self.from) => *text = self.renamed(text),
            Value::Array(items) => items.iter_mut().for_each(|v| self.rename(v)),
            Value::Object(fields) => fields.values_mut().for_each(|v| self.rename(v)),
            _ => {}
        }
    }

    /// `db.shop.svc.cluster.local`, `db.shop.svc`, `db.shop:5432`, `db-0.db.shop`: host names of the source's namespace.
    fn renamed(&self, text: &str) -> String {
        let mut text = text.replace(&format!(".{}.svc", self.from), &format!(".{}.svc", self.to));
        for service in &self.services {
            let host = format!("{service}.{}", self.from);
            let part_of_a_name = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
            let mut at = 0;
            while let Some(found) = text[at..].find(&host).map(|i| i + at) {
                let end = found + host.len();
                let begins = !text[..found].ends_with(part_of_a_name);
                // `shop.example.com` is a name of somebody else's.
                let ends = !text[end..].starts_with(|c: char| part_of_a_name(c) || c == '.');
                at = end;
                if begins && ends {
                    text.replace_range(found..end, &format!("{service}.{}", self.to));
                    at = found + service.len() + 1 + self.to.len();
                }
            }
        }
        text
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

/// What is copied.
pub struct Copy<'a> {
    /// The platform's namespace.
    pub from: &'a str,
    /// The fresh one.
    pub to: &'a str,
    /// The store's StatefulSet.
    pub stateful_set: &'a str,
    /// Workloads that it cannot do without, `Kind/name` or the name of a StatefulSet.
    pub companions: Vec<String>,
    /// A Secret that nothing of them names, though the drill needs it.
    pub secret: Option<&'a str>,
    /// Changes the StatefulSet before it is made.
    pub adapt: &'a (dyn Fn(&mut Value) + Send + Sync),
}

/// Copies one store into a namespace that [`make_namespace`] made. Nothing of the source is changed.
///
/// # Errors
/// When an object cannot be read or created.
pub async fn copy_store(client: &Client, copy: &Copy<'_>) -> Result<(), ChaosError> {
    let listed = Api::<Service>::namespaced(client.clone(), copy.from).list(&ListParams::default()).await;
    let services = listed.map_err(ChaosError::kubernetes("list services"))?.items;
    let names = services.iter().filter_map(|s| s.metadata.name.clone()).collect();
    let way = Move { from: copy.from, to: copy.to, services: names };
    if let Some(secret) = copy.secret {
        let object = read::<Secret>(client, copy.from, secret).await?;
        create::<Secret>(client, copy.to, stripped(&object, &way)).await?;
    }
    for companion in &copy.companions {
        let (kind, name) = kind_and_name(companion);
        if kind == "Deployment" {
            let workload = read::<Deployment>(client, copy.from, name).await?;
            copy_surroundings(client, &way, &workload, &services).await?;
            create::<Deployment>(client, copy.to, stripped(&workload, &way)).await?;
        } else {
            let workload = read::<StatefulSet>(client, copy.from, name).await?;
            copy_surroundings(client, &way, &workload, &services).await?;
            create::<StatefulSet>(client, copy.to, stripped(&workload, &way)).await?;
        }
    }
    let set = read::<StatefulSet>(client, copy.from, copy.stateful_set).await?;
    copy_surroundings(client, &way, &set, &services).await?;
    let mut set = stripped(&set, &way);
    (copy.adapt)(&mut set);
    create::<StatefulSet>(client, copy.to, set).await
}

/// Makes a namespace for copied stores, marked as ours, under the Pod Security Standard of the source.
///
/// # Errors
/// When there is one of this name already, or the API server refuses.
pub async fn make_namespace(client: &Client, from: &str, to: &str) -> Result<(), ChaosError> {
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
    Ok(())
}

/// Copies what a workload's pods name and the Services that select them.
async fn copy_surroundings(client: &Client, way: &Move<'_>, workload: &Value, services: &[Service]) -> Result<(), ChaosError> {
    let (from, to) = (way.from, way.to);
    let template = workload.pointer("/spec/template").cloned().unwrap_or_default();
    let refer = references(&template);
    for name in &refer.secrets {
        let object = read::<Secret>(client, from, name).await?;
        create::<Secret>(client, to, stripped(&object, way)).await?;
    }
    for name in &refer.config_maps {
        let object = read::<ConfigMap>(client, from, name).await?;
        create::<ConfigMap>(client, to, stripped(&object, way)).await?;
    }
    if let Some(account) = template.pointer("/spec/serviceAccountName").and_then(Value::as_str) {
        let object = read::<ServiceAccount>(client, from, account).await?;
        create::<ServiceAccount>(client, to, stripped(&object, way)).await?;
    }
    let labels = template.pointer("/metadata/labels").cloned().unwrap_or_default();
    for service in services {
        let service = serde_json::to_value(service).unwrap_or_default();
        if selects(&service, &labels) {
            create::<Service>(client, to, stripped(&service, way)).await?;
        }
    }
    Ok(())
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
            stripped(&live, &way()),
            json!({
                "metadata": {"name": "db", "namespace": "shop-restore", "annotations": {"keep": "1"},
                    "labels": {"app": "db", "app.kubernetes.io/managed-by": "gauntlet"}},
                "spec": {"ports": [{"port": 1}], "x": "mongodb://db.shop-restore.svc.cluster.local:27017"}
            })
        );
        let headless = json!({"metadata": {"name": "db"}, "spec": {"clusterIP": "None"}});
        assert_eq!(stripped(&headless, &way()).pointer("/spec/clusterIP"), Some(&json!("None")));
    }

    fn way() -> Move<'static> {
        Move { from: "shop", to: "shop-restore", services: ["db".to_owned(), "zookeeper".to_owned()].into() }
    }

    #[test]
    fn every_way_to_write_a_host_of_the_source_is_renamed() {
        let cases = [
            ("db.shop.svc.cluster.local:1", "db.shop-restore.svc.cluster.local:1"),
            ("zookeeper.shop:2181,db-0.db.shop:9092", "zookeeper.shop-restore:2181,db-0.db.shop-restore:9092"),
            ("tcp://db.shop/x", "tcp://db.shop-restore/x"),
            ("db.shop.example.com mydb.shop db.shopping shop", "db.shop.example.com mydb.shop db.shopping shop"),
        ];
        for (text, expected) in cases {
            assert_eq!(way().renamed(text), expected);
        }
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

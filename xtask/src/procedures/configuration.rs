//! The configuration of a platform in one file, saved before a deployment and restored from it: every object of its
//! namespace that a person declared, as a Kubernetes List in JSON. Data in volumes is not part of it.

use crate::deploy::apply::{ApplyOptions, apply};
use crate::deploy::kinds::Kinds;
use crate::deploy::object::ObjectRef;
use anyhow::{Context as _, Result};
use gauntlet_reports::recorder::Recorder;
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Client, ResourceExt};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// What is saved: apiVersion and kind.
const SAVED: [(&str, &str); 14] = [
    ("v1", "ServiceAccount"),
    ("rbac.authorization.k8s.io/v1", "Role"),
    ("rbac.authorization.k8s.io/v1", "RoleBinding"),
    ("v1", "Secret"),
    ("v1", "ConfigMap"),
    ("v1", "Service"),
    ("networking.k8s.io/v1", "NetworkPolicy"),
    ("apps/v1", "StatefulSet"),
    ("apps/v1", "Deployment"),
    ("apps/v1", "DaemonSet"),
    ("batch/v1", "CronJob"),
    ("autoscaling/v2", "HorizontalPodAutoscaler"),
    ("policy/v1", "PodDisruptionBudget"),
    ("networking.k8s.io/v1", "Ingress"),
];

/// What the cluster writes into an object.
const OF_THE_CLUSTER: [&str; 7] = ["uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink", "deletionTimestamp"];

/// An object as it can be applied again; None for what the cluster makes by itself. Pure.
fn declared(object: &Value) -> Option<Value> {
    let kind = object["kind"].as_str().unwrap_or_default();
    let name = object["metadata"]["name"].as_str().unwrap_or_default();
    let owned = object["metadata"]["ownerReferences"].as_array().is_some_and(|o| !o.is_empty());
    let by_itself = (kind == "ConfigMap" && name == "kube-root-ca.crt")
        || (kind == "ServiceAccount" && name == "default")
        || (kind == "Secret" && object["type"] == "kubernetes.io/service-account-token");
    if owned || by_itself {
        return None;
    }
    let mut kept = object.clone();
    let fields = kept.as_object_mut()?;
    fields.remove("status");
    let metadata = fields.get_mut("metadata")?.as_object_mut()?;
    OF_THE_CLUSTER.iter().for_each(|key| drop(metadata.remove(*key)));
    if kind == "Service" && kept["spec"]["clusterIP"] != "None" {
        let spec = kept.get_mut("spec").and_then(Value::as_object_mut)?;
        ["clusterIP", "clusterIPs"].iter().for_each(|key| drop(spec.remove(*key)));
    }
    Some(kept)
}

/// Reads the configuration of a namespace.
///
/// # Errors
/// When the API server does not answer.
pub async fn read(client: &Client, namespace: &str) -> Result<Vec<Value>> {
    let mut kinds = Kinds::new(client.clone());
    let mut objects = Vec::new();
    for (api_version, kind) in SAVED {
        let object = ObjectRef { api_version: api_version.to_owned(), kind: kind.to_owned(), namespace: None, name: String::new() };
        let Some((resource, _)) = kinds.resolve(&object).await.with_context(|| format!("failed to find kind {kind}"))? else { continue };
        let api = Api::<DynamicObject>::namespaced_with(client.clone(), namespace, &resource);
        let mut items = api.list(&ListParams::default()).await.with_context(|| format!("failed to list {kind}"))?.items;
        items.sort_by_key(ResourceExt::name_any);
        for item in items {
            let mut value = serde_json::to_value(item)?;
            value["apiVersion"] = json!(api_version);
            value["kind"] = json!(kind);
            objects.extend(declared(&value));
        }
    }
    Ok(objects)
}

/// Where a platform's saved configurations are kept in the suite's cache.
pub fn folder(cache: &Path, platform: &str) -> PathBuf {
    cache.join("configurations").join(platform)
}

/// Saves the configuration of a namespace to `folder/<namespace>-<time>.json`, readable by its owner only: it holds
/// Secrets. Gives the file.
///
/// # Errors
/// When it cannot be read from the cluster or written.
pub async fn save(client: &Client, namespace: &str, folder: &Path) -> Result<PathBuf> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let objects = read(client, namespace).await?;
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.3fZ").to_string();
    std::fs::create_dir_all(folder).with_context(|| format!("failed to make {}", folder.display()))?;
    let path = folder.join(format!("{namespace}-{time}.json"));
    let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {"annotations": {"gauntlet.dev/namespace": namespace}}, "items": objects});
    // Written aside first: a file under its final name is whole.
    let aside = path.with_extension("part");
    let mut file = std::fs::OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&aside).with_context(|| format!("failed to write {}", aside.display()))?;
    file.write_all(serde_json::to_string_pretty(&list)?.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&aside, &path)?;
    Ok(path)
}

/// The newest configuration that was saved to a folder.
///
/// # Errors
/// When there is none.
pub fn newest(folder: &Path) -> Result<PathBuf> {
    let saved = std::fs::read_dir(folder).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    // The time is in the name.
    let newest = saved.filter(|path| path.extension().is_some_and(|e| e == "json")).max();
    newest.with_context(|| format!("no configuration was saved yet: {} holds none", folder.display()))
}

/// The objects of a saved configuration, with the namespace that it was saved from.
///
/// # Errors
/// When the file is no saved configuration.
pub fn load(path: &Path) -> Result<(String, Vec<Value>)> {
    let text = std::fs::read_to_string(path).with_context(|| format!("failed to read {}", path.display()))?;
    let list: Value = serde_json::from_str(&text).with_context(|| format!("{} is no saved configuration", path.display()))?;
    let namespace = list["metadata"]["annotations"]["gauntlet.dev/namespace"].as_str();
    let namespace = namespace.with_context(|| format!("{} is no saved configuration: it names no namespace", path.display()))?;
    Ok((namespace.to_owned(), list["items"].as_array().cloned().unwrap_or_default()))
}

/// Applies a saved configuration. Gives the number of objects.
///
/// # Errors
/// When the file cannot be read, or an object is refused.
pub async fn restore(client: &Client, path: &Path, recorder: &Recorder) -> Result<usize> {
    let (namespace, objects) = load(path)?;
    let applied = apply(client, &objects, &namespace, &ApplyOptions::default(), recorder).await?;
    Ok(applied.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cluster_wrote_is_not_saved() {
        let live = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "uid": "u", "resourceVersion": "4", "labels": {"app": "a"}},
            "spec": {"clusterIP": "10.1.1.1", "clusterIPs": ["10.1.1.1"], "ports": [{"port": 80}]}, "status": {}});
        let kept = declared(&live).expect("kept");
        assert_eq!(kept, json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a", "labels": {"app": "a"}}, "spec": {"ports": [{"port": 80}]}}));
        let headless = json!({"kind": "Service", "metadata": {"name": "a"}, "spec": {"clusterIP": "None"}});
        assert_eq!(declared(&headless).expect("kept")["spec"]["clusterIP"], "None");
    }

    #[test]
    fn what_controllers_make_is_not_saved() {
        assert!(declared(&json!({"kind": "ConfigMap", "metadata": {"name": "kube-root-ca.crt"}})).is_none());
        assert!(declared(&json!({"kind": "Secret", "metadata": {"name": "t", "ownerReferences": [{"kind": "X"}]}})).is_none());
        assert!(declared(&json!({"kind": "ConfigMap", "metadata": {"name": "mine"}})).is_some());
    }

    #[test]
    fn the_newest_is_found_by_the_time_in_its_name() {
        let dir = tempfile::tempdir().expect("dir");
        assert!(newest(dir.path()).expect_err("none").to_string().contains("no configuration was saved yet"));
        for name in ["shop-20260102T000000.000Z.json", "shop-20260103T000000.000Z.json", "shop-20260104T000000.000Z.part"] {
            std::fs::write(dir.path().join(name), "{}").expect("writes");
        }
        assert!(newest(dir.path()).expect("one").ends_with("shop-20260103T000000.000Z.json"));
    }

    #[test]
    fn a_file_that_is_no_saved_configuration_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("x.json");
        std::fs::write(&path, "{\"items\": []}").expect("writes");
        assert!(load(&path).expect_err("refused").to_string().contains("names no namespace"));
        assert!(load(&dir.path().join("none.json")).is_err());
    }
}

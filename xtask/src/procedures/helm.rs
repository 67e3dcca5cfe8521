//! `helm rollback`, tried with Helm itself: the platform's chart is installed over what the manifests made, upgraded with a
//! change, and rolled back.
//!
//! The chart must change nothing of what runs: that is how a run sees that chart and manifests are the same objects. What Helm
//! leaves (its Secrets, its label and annotations) is removed at the end, also when something fails.

use super::tried::{Held, Trial, clients, probes, seen, wait_for};
use super::{configuration, probe::Seen};
use crate::deploy::apply::{ApplyOptions, apply};
use crate::deploy::kinds::Kinds;
use crate::deploy::object::ObjectRef;
use crate::deploy::rollout::Outcome;
use crate::provision::context::Context;
use crate::provision::{go_binaries, parts::Parts};
use anyhow::{Context as _, Result, bail};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::process::Command;

/// For one call: without `--wait` Helm returns when everything is applied.
const WITHIN: Duration = Duration::from_secs(60);
/// Helm's label and annotations on what it manages.
const LABEL: &str = "app.kubernetes.io/managed-by";
const ANNOTATIONS: [&str; 2] = ["meta.helm.sh/release-name", "meta.helm.sh/release-namespace"];
/// Counted up by the Deployment controller: a rollback is a new revision.
const REVISION: &str = "deployment.kubernetes.io/revision";

/// How to run Helm against a cluster.
#[derive(Debug, Clone)]
pub struct Helm {
    program: PathBuf,
    kubeconfig: PathBuf,
    folder: PathBuf,
}

/// A release of a chart.
pub struct Release<'a> {
    /// Its name.
    pub name: &'a str,
    /// The chart's folder, relative to the platform's.
    pub chart: &'a str,
    /// Values files, relative to the platform's folder.
    pub values: &'a [String],
    /// What the upgrade sets.
    pub change: &'a BTreeMap<String, String>,
}

impl Helm {
    /// Helm for the suite's own cluster. None: it was not built, or the cluster is the user's and has no kubeconfig of its own.
    pub fn find(ctx: &Context, kubeconfig: &Path, folder: &Path) -> Option<Self> {
        let parts = Parts::load(&ctx.fixtures()).ok()?;
        let program = go_binaries::path(ctx, parts.binary("helm").ok()?).ok()?;
        let there = program.exists() && kubeconfig.exists();
        there.then(|| Helm { program, kubeconfig: kubeconfig.to_owned(), folder: folder.to_owned() })
    }

    async fn run(&self, namespace: &str, arguments: &[&str]) -> Result<()> {
        // Repositories, plugins and caches of the user's own Helm are none of ours.
        let home = tempfile::tempdir().context("failed to make a folder for Helm")?;
        let mut command = Command::new(&self.program);
        command.args(arguments).args(["--namespace", namespace]).arg("--kubeconfig").arg(&self.kubeconfig).kill_on_drop(true);
        for variable in ["HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME"] {
            command.env(variable, home.path());
        }
        let named = format!("helm {}", arguments.first().copied().unwrap_or_default());
        let ended = tokio::time::timeout(WITHIN, command.output()).await;
        let output = ended.with_context(|| format!("{named} did not end within {} s", WITHIN.as_secs()))?.with_context(|| format!("failed to run {named}"))?;
        if !output.status.success() {
            bail!("{named} failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(())
    }

    /// `helm upgrade --install`.
    async fn upgrade(&self, namespace: &str, release: &Release<'_>, change: bool) -> Result<()> {
        let path = |relative: &str| self.folder.join(relative).display().to_string();
        let mut words = vec!["upgrade".to_owned(), "--install".to_owned(), release.name.to_owned(), path(release.chart), "--take-ownership".to_owned()];
        release.values.iter().for_each(|file| words.extend(["--values".to_owned(), path(file)]));
        if change {
            release.change.iter().for_each(|(key, value)| words.extend(["--set".to_owned(), format!("{key}={value}")]));
        }
        self.run(namespace, &words.iter().map(String::as_str).collect::<Vec<_>>()).await
    }
}

/// Removes a key from a map in an object, and the map when it is empty then.
fn without(object: &mut Value, map: &str, keys: &[&str]) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else { return };
    if let Some(fields) = metadata.get_mut(map).and_then(Value::as_object_mut) {
        keys.iter().for_each(|key| drop(fields.remove(*key)));
        if fields.is_empty() {
            metadata.remove(map);
        }
    }
}

/// Objects by `Kind/name`, without what Helm and controllers write, to be compared. Pure.
fn comparable(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let one = |mut object: Value| {
        without(&mut object, "labels", &[LABEL]);
        without(&mut object, "annotations", &[ANNOTATIONS[0], ANNOTATIONS[1], REVISION]);
        if object["kind"] == "Deployment" {
            // The HPA's.
            object.get_mut("spec").and_then(Value::as_object_mut).map(|spec| spec.remove("replicas"));
        }
        (named(&object), object)
    };
    objects.into_iter().filter(|o| o["type"] != "helm.sh/release.v1").map(one).collect()
}

fn named(object: &Value) -> String {
    format!("{}/{}", object["kind"].as_str().unwrap_or_default(), object["metadata"]["name"].as_str().unwrap_or_default())
}

/// The first field in which two values differ, and what stands there.
fn first_difference(was: &Value, is: &Value, path: &str) -> Option<String> {
    if was == is {
        return None;
    }
    let at = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match (was, is) {
        (Value::Object(a), Value::Object(b)) => {
            let keys: std::collections::BTreeSet<_> = a.keys().chain(b.keys()).collect();
            keys.into_iter().find_map(|key| first_difference(&a.get(key).cloned().unwrap_or_default(), &b.get(key).cloned().unwrap_or_default(), &at(key)))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a.iter().zip(b).enumerate().find_map(|(n, (a, b))| first_difference(a, b, &at(&n.to_string()))),
        _ => Some(format!("{path} {was} and {is}")),
    }
}

/// Where two states of a namespace differ, for people; the values of Secrets are not told.
fn differences(was: &BTreeMap<String, Value>, is: &BTreeMap<String, Value>) -> Vec<String> {
    let names: std::collections::BTreeSet<_> = was.keys().chain(is.keys()).collect();
    let differs = |name: &String| match (was.get(name), is.get(name)) {
        (Some(was), Some(is)) if was == is => None,
        (Some(_), Some(_)) if name.starts_with("Secret/") => Some(name.clone()),
        (Some(was), Some(is)) => Some(format!("{name} {}", first_difference(was, is, "").unwrap_or_default())),
        (Some(_), None) => Some(format!("{name} is gone")),
        (None, _) => Some(format!("{name} is new")),
    };
    names.into_iter().filter_map(differs).collect()
}

async fn state(trial: &Trial<'_>) -> Result<BTreeMap<String, Value>> {
    Ok(comparable(configuration::read(trial.client, &trial.platform.namespace).await?))
}

/// Installs, upgrades, rolls back; whatever comes of it, what Helm left is removed.
pub(super) async fn tried(trial: &Trial<'_>, release: &Release<'_>) -> Result<Held> {
    let helm = trial.helm.context("Helm is not at hand: it is built for the suite's own cluster only")?;
    let before = state(trial).await?;
    let went = course(trial, helm, release, &before).await;
    clean(trial, release.name, &before).await.context("failed to remove what Helm left")?;
    let left = differences(&before, &state(trial).await?);
    if !left.is_empty() {
        trial.recorder.progress("applying the manifests again");
        apply(trial.client, trial.objects, &trial.platform.namespace, &ApplyOptions::default(), trial.recorder).await?;
    }
    went
}

async fn course(trial: &Trial<'_>, helm: &Helm, release: &Release<'_>, before: &BTreeMap<String, Value>) -> Result<Held> {
    let namespace = &trial.platform.namespace;
    helm.upgrade(namespace, release, false).await?;
    let other = differences(before, &state(trial).await?);
    if !other.is_empty() {
        return Held::check(false, format!("{} objects differ", other.len()), format!("the chart is not what the manifests made: {}", other.join("; ")));
    }
    let probes = probes(trial);
    trial.recorder.progress("helm upgrade with a change");
    helm.upgrade(namespace, release, true).await?;
    let changed = differences(before, &state(trial).await?);
    if changed.is_empty() {
        bail!("the upgrade changed nothing: {:?} are no values of the chart", release.change.keys().collect::<Vec<_>>());
    }
    let forward = settled(trial, &changed).await?;
    trial.recorder.progress("helm rollback");
    helm.run(namespace, &["rollback", release.name]).await?;
    let back = settled(trial, &changed).await?;
    let seen: Seen = seen(probes);
    let measured = format!("{} objects are the chart's; the upgrade changed {}; {}", before.len(), names(&changed), clients(&seen));
    if let Some(stuck) = forward.or(back) {
        return Held::check(false, measured, stuck);
    }
    let left = differences(before, &state(trial).await?);
    if !left.is_empty() {
        return Held::check(false, measured, format!("not as before: {}", left.join("; ")));
    }
    Held::check(seen.failed == 0, measured, format!("clients saw errors: {}", seen.causes.join(", ")))
}

fn names(differences: &[String]) -> String {
    differences.iter().filter_map(|text| text.split(' ').next()).collect::<Vec<_>>().join(", ")
}

/// Waits for the Deployments among what changed. Some: why one does not roll out.
async fn settled(trial: &Trial<'_>, changed: &[String]) -> Result<Option<String>> {
    let changed = changed.iter().filter_map(|text| text.split(' ').next()?.strip_prefix("Deployment/"));
    let deployments: Vec<String> = changed.map(str::to_owned).collect();
    match wait_for(trial, &deployments).await? {
        Outcome::Finished => Ok(None),
        Outcome::Stuck { causes, .. } => Ok(Some(causes.join("; "))),
        Outcome::Stopped => bail!("the run was stopped"),
    }
}

/// Removes the release's Secrets, and Helm's label and annotations where they were not before.
async fn clean(trial: &Trial<'_>, release: &str, before: &BTreeMap<String, Value>) -> Result<()> {
    let namespace = &trial.platform.namespace;
    let secrets: Api<Secret> = Api::namespaced(trial.client.clone(), namespace);
    secrets.delete_collection(&DeleteParams::default(), &ListParams::default().labels(&format!("owner=helm,name={release}"))).await?;
    let mut kinds = Kinds::new(trial.client.clone());
    for object in configuration::read(trial.client, namespace).await? {
        if object["metadata"]["annotations"][ANNOTATIONS[0]] != release || !before.contains_key(&named(&object)) {
            continue;
        }
        let object = ObjectRef::of(&object)?;
        let Some((resource, _)) = kinds.resolve(&object).await? else { continue };
        let api = Api::<DynamicObject>::namespaced_with(trial.client.clone(), namespace, &resource);
        let nothing: Map<String, Value> = ANNOTATIONS.iter().map(|key| ((*key).to_owned(), Value::Null)).collect();
        let patch = json!({"metadata": {"labels": {LABEL: null}, "annotations": nothing}});
        api.patch(&object.name, &PatchParams::default(), &Patch::Merge(patch)).await.with_context(|| format!("failed to change {object}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(image: &str, helm: bool, replicas: i32) -> Value {
        let mut object = json!({"kind": "Deployment", "metadata": {"name": "a", "annotations": {REVISION: "4"}}, "spec": {"replicas": replicas, "template": {"image": image}}});
        if helm {
            object["metadata"]["labels"] = json!({LABEL: "Helm"});
            object["metadata"]["annotations"][ANNOTATIONS[0]] = json!("shop");
        }
        object
    }

    #[test]
    fn what_helm_and_the_hpa_write_is_no_difference() {
        let release = json!({"kind": "Secret", "type": "helm.sh/release.v1", "metadata": {"name": "sh.helm.release.v1.shop.v1"}});
        let (before, after) = (comparable(vec![deployment("v1", false, 3)]), comparable(vec![deployment("v1", true, 5), release]));
        assert_eq!(differences(&before, &after), [] as [String; 0]);
    }

    #[test]
    fn differences_name_the_field_and_never_a_secrets_value() {
        let secret = |value: &str| json!({"kind": "Secret", "metadata": {"name": "s"}, "data": {"password": value}});
        let new = json!({"kind": "Service", "metadata": {"name": "extra"}});
        let before = comparable(vec![deployment("v1", false, 3), secret("aGlkZGVu")]);
        let after = comparable(vec![deployment("v2", true, 3), secret("b3RoZXI="), new]);
        let found = differences(&before, &after);
        assert_eq!(found, ["Deployment/a spec.template.image \"v1\" and \"v2\"", "Secret/s", "Service/extra is new"]);
        assert_eq!(names(&found), "Deployment/a, Secret/s, Service/extra");
        assert_eq!(differences(&after, &before)[2], "Service/extra is gone");
    }
}

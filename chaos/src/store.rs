//! A data store as experiments and drills see it: what an engine must know, and the way to a store in the cluster.

use crate::drill::archive::Archive;
use crate::drill::backup_dir::container_of;
use crate::drill::content::Content;
use crate::drill::extras::Extra;
use crate::error::ChaosError;
use crate::pod_exec::Container;
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::Store;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use kube::{Api, Client};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// What an engine calls its things, in the singular: `table` and `row`, `topic` and `record`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Words {
    /// What holds records.
    pub collection: &'static str,
    /// A record.
    pub record: &'static str,
}

/// Damage that is done to a copy of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// A few bits are changed inside a record.
    Flipped,
    /// Its end is cut off.
    Truncated,
    /// Its files are empty.
    Emptied,
}

/// What the restore of a damaged backup must show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MustShow {
    /// The restore refuses it: the backup carries checksums.
    Refused,
    /// The restore refuses it, or the comparison of content notices it.
    RefusedOrNoticed,
}

/// What an engine knows. One file in `stores/`, one row in [`stores::ENGINES`](crate::stores::ENGINES).
pub trait Engine: Send + Sync {
    /// What it calls its things.
    fn words(&self) -> Words;

    /// Opens the store in pod 0.
    fn open<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<Box<dyn DataStore>, ChaosError>>;

    /// Whether the store is whole: all of its pods do what they are there for. Says what was seen, or what is missing.
    fn whole<'a>(&'a self, place: &'a Place<'a>) -> BoxFuture<'a, Result<String, String>>;

    /// The pause between two questions whether it is whole.
    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    /// Other workloads that the store needs beside it in a namespace of its own, `Kind/name`.
    fn companions<'a>(&'a self, _place: &'a Place<'a>) -> BoxFuture<'a, Result<Vec<String>, ChaosError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Changes the store's StatefulSet before it is copied into a namespace of its own.
    fn adapt(&self, _stateful_set: &mut Value) {}

    /// The collections that a backup holds, where the engine can tell without restoring it.
    ///
    /// # Errors
    /// When the backup describes them in a way that cannot be read.
    fn in_backup(&self, _archive: &Archive) -> Result<Option<BTreeSet<String>>, ChaosError> {
        Ok(None)
    }

    /// Changes bits inside a record of a backup. None when it holds nothing to damage.
    fn flip(&self, archive: &Archive) -> Option<Archive>;

    /// Cuts a backup short. None when it holds nothing to cut.
    fn truncate(&self, archive: &Archive) -> Option<Archive>;

    /// What restoring a damaged backup must show.
    fn must_show(&self, damage: Damage) -> MustShow;
}

/// An open store.
pub trait DataStore: Send + Sync {
    /// Everything that it holds, as counts and hashes.
    fn content(&self) -> BoxFuture<'_, Result<Content, ChaosError>>;

    /// The keys of a ledger that are in the store.
    fn keys<'a>(&'a self, collection: &'a str, key_field: &'a str, prefix: &'a str) -> BoxFuture<'a, Result<BTreeSet<String>, ChaosError>>;

    /// Writes a record of its own, reads it back, and takes it away again. `name` is unique in the run.
    fn probe<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(), ChaosError>>;

    /// Removes everything. Only ever called on a restored copy. `source` is what the source has beside records: where a
    /// platform's own set-up makes such things before a restore, they are made here.
    fn empty<'a>(&'a self, source: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>>;

    /// Makes room in a live store for the restore command, where that only adds to what is there: what the backup would stand
    /// beside goes. `source` is what the backup has beside records. What others rely on (roles, replicas) stays. By default
    /// the restore command does all that is needed.
    fn make_room<'a>(&'a self, _source: &'a [Extra]) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// What a backup must bring back beside records, such as indexes.
    fn extras(&self) -> BoxFuture<'_, Result<Vec<Extra>, ChaosError>>;

    /// Does what the backup describes but the restore command leaves out.
    fn complete<'a>(&'a self, _archive: &'a Archive) -> BoxFuture<'a, Result<(), ChaosError>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// User and password of a store.
#[derive(Clone)]
pub struct Login {
    /// The user; empty: the engine has none.
    pub user: String,
    /// The password.
    pub password: String,
}

/// Where a store runs: the platform's namespace, or the one of its restored copy.
#[derive(Clone, Copy)]
pub struct Place<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The namespace.
    pub namespace: &'a str,
    /// The store.
    pub store: &'a Store,
}

/// A workload of a store.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreWorkload {
    /// `spec.replicas`.
    pub desired: usize,
    /// Its pods that are not on their way out, by name.
    pub pods: Vec<String>,
}

/// `Kind/name`, or the name of a StatefulSet.
pub fn kind_and_name(workload: &str) -> (&str, &str) {
    workload.split_once('/').unwrap_or(("StatefulSet", workload))
}

impl<'a> Place<'a> {
    /// An error of this store.
    pub fn wrong(&self, cause: impl Into<String>) -> ChaosError {
        ChaosError::Store { store: self.store.name.clone(), cause: cause.into() }
    }

    /// An option of platform.yaml.
    pub fn option(&self, name: &str) -> Option<&'a str> {
        self.store.options.get(name).map(String::as_str)
    }

    /// The pod that is read, backed up and restored.
    pub fn pod(&self) -> String {
        format!("{}-0", self.store.stateful_set)
    }

    /// The login that platform.yaml describes. None when it names no Secret: the store asks for none.
    ///
    /// # Errors
    /// When the Secret or one of its keys is missing.
    pub async fn login(&self) -> Result<Option<Login>, ChaosError> {
        let Some(secret) = &self.store.secret else { return Ok(None) };
        let secrets: Api<Secret> = Api::namespaced(self.client.clone(), self.namespace);
        let data = secrets.get(secret).await.map_err(ChaosError::kubernetes(format!("read secret {secret}")))?.data.unwrap_or_default();
        let value = |key: &Option<String>| {
            let Some(key) = key else { return Ok(String::new()) };
            let bytes = data.get(key).ok_or_else(|| self.wrong(format!("Secret {secret} has no key {key}")))?;
            Ok::<_, ChaosError>(String::from_utf8_lossy(&bytes.0).trim_end_matches('\n').to_owned())
        };
        let user = self.store.username.clone().map_or_else(|| value(&self.store.username_key), Ok)?;
        Ok(Some(Login { user, password: value(&self.store.password_key)? }))
    }

    /// The container of a pod that serves a port.
    ///
    /// # Errors
    /// When the pod is not there.
    pub async fn container(&self, pod: &str, port: u16) -> Result<Container, ChaosError> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), self.namespace);
        let live = pods.get(pod).await.map_err(ChaosError::kubernetes(format!("read pod {pod}")))?;
        let found = container_of(&live, port).ok_or_else(|| self.wrong(format!("pod {pod} has no container")))?;
        Ok(Container { pods, pod: pod.to_owned(), container: found.name.clone() })
    }

    /// A workload of the store, `Kind/name` or the name of a StatefulSet, with its pods.
    ///
    /// # Errors
    /// When it does not exist.
    pub async fn workload(&self, workload: &str) -> Result<StoreWorkload, ChaosError> {
        workload_pods(self.client, self.namespace, workload).await
    }
}

/// A workload, `Kind/name` or the name of a StatefulSet, with its pods.
///
/// # Errors
/// When it does not exist.
pub async fn workload_pods(client: &Client, namespace: &str, workload: &str) -> Result<StoreWorkload, ChaosError> {
    let (kind, name) = kind_and_name(workload);
    let missing = ChaosError::kubernetes(format!("read {kind} {name}"));
    let (replicas, selector) = if kind == "Deployment" {
        let api: Api<Deployment> = Api::namespaced(client.clone(), namespace);
        let spec = api.get(name).await.map_err(missing)?.spec.unwrap_or_default();
        (spec.replicas, spec.selector)
    } else {
        let api: Api<StatefulSet> = Api::namespaced(client.clone(), namespace);
        let spec = api.get(name).await.map_err(missing)?.spec.unwrap_or_default();
        (spec.replicas, spec.selector)
    };
    let pods = selected_pods(client, namespace, &selector.match_labels.unwrap_or_default()).await?;
    Ok(StoreWorkload { desired: usize::try_from(replicas.unwrap_or(1)).unwrap_or_default(), pods })
}

/// Names of the pods with these labels that are not on their way out, sorted.
///
/// # Errors
/// When the API server does not list pods.
pub async fn selected_pods(client: &Client, namespace: &str, labels: &BTreeMap<String, String>) -> Result<Vec<String>, ChaosError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let wanted: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let wanted = ListParams::default().labels(&wanted.join(","));
    let listed = pods.list(&wanted).await.map_err(ChaosError::kubernetes("list pods by their labels"))?;
    let there = listed.items.into_iter().filter(|p| p.metadata.deletion_timestamp.is_none());
    let mut names: Vec<String> = there.filter_map(|p| p.metadata.name).collect();
    names.sort();
    Ok(names)
}

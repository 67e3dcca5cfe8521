//! Backs the stores of a deployed platform up to a folder of this machine, with the guide's commands. The drill of `verify`
//! takes and saves its backups by the same code.

use anyhow::{Context as _, Result};
use gauntlet_chaos::drill::{backup, saved};
use gauntlet_chaos::store::Place;
use gauntlet_chaos::stores::engine_of;
use gauntlet_fixtures::platform::Store;
use gauntlet_reports::recorder::Recorder;
use kube::Client;
use std::path::{Path, PathBuf};

/// Where the stores run.
#[derive(Clone, Copy)]
pub struct Home<'a> {
    /// The cluster.
    pub client: &'a Client,
    /// The platform's name.
    pub platform: &'a str,
    /// The namespace.
    pub namespace: &'a str,
    /// Where progress goes.
    pub recorder: &'a Recorder,
}

impl<'a> Home<'a> {
    /// One of the stores.
    pub fn place(&self, store: &'a Store) -> Place<'a> {
        Place { client: self.client, namespace: self.namespace, store }
    }
}

/// A store that was backed up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BackedUp {
    /// Its name.
    pub store: String,
    /// The folder of its backup.
    pub folder: PathBuf,
    /// Records that it held, and what its engine calls one.
    pub records: (usize, &'static str),
    /// Files of the backup, and their bytes.
    pub files: (usize, usize),
    /// How long the guide's command took, in ms.
    pub ms: u64,
}

impl std::fmt::Display for BackedUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ((records, record), (files, bytes)) = (self.records, self.files);
        let seconds = self.ms as f64 / 1000.0;
        write!(f, "{}: {records} {record}s, {files} files of {bytes} bytes in {seconds:.1} s, saved to {}", self.store, self.folder.display())
    }
}

/// The name of the folder in the store's container. It is gone when the backup is done.
const FOLDER: &str = "gauntlet-backup";

/// Backs one store up to `to/<store>`.
///
/// # Errors
/// When the store does not answer, the command fails or writes nothing, or the folder cannot be written.
pub async fn back_up(home: Home<'_>, store: &Store, to: &Path) -> Result<BackedUp> {
    let failed = || format!("failed to back up {}", store.name);
    let engine = engine_of(store).with_context(failed)?;
    let taken = backup::take(engine, &home.place(store), home.platform, FOLDER, home.recorder).await.with_context(failed)?;
    if let Some(wrong) = taken.wrong() {
        return Err(anyhow::anyhow!(wrong).context(failed()));
    }
    let folder = saved::save(&taken.backup, to).with_context(failed)?;
    let archive = &taken.backup.archive;
    Ok(BackedUp {
        store: store.name.clone(),
        folder,
        records: (taken.backup.records(), engine.words().record),
        files: (archive.files.len(), archive.size()),
        ms: taken.time.ended_ms - taken.time.started_ms,
    })
}

/// What a backup of a store would do. The pod must be there.
///
/// # Errors
/// When the engine is unknown, the pod is not there, or a backup stands in the folder.
pub async fn plan(home: Home<'_>, store: &Store, to: &Path) -> Result<String> {
    engine_of(store)?;
    let place = home.place(store);
    let container = place.container(&place.pod(), store.port).await?;
    let folder = saved::folder_of(to, &store.name);
    anyhow::ensure!(!folder.exists(), "{} stands there already, and a backup is never overwritten", folder.display());
    Ok(format!(
        "{}: in container {} of pod {} in {}: {}\n  then copy {{{{dir}}}} to {}",
        store.name,
        container.container,
        container.pod,
        home.namespace,
        store.backup.join(" "),
        folder.display()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deploy::fake_api::{start, status};
    use gauntlet_reports::clock::Clock;
    use serde_json::json;
    use wiremock::matchers::{method, path};
    use wiremock::{Mock, ResponseTemplate};

    fn store(engine: &str) -> Store {
        serde_json::from_value(json!({"name": "db", "engine": engine, "statefulSet": "db", "port": 5432, "rpoSeconds": 1, "rtoSeconds": 1,
            "backup": ["pg_dump", "--file", "{{dir}}/x"], "restore": ["pg_restore", "{{dir}}/x"]}))
        .expect("store")
    }

    #[tokio::test]
    async fn a_plan_names_pod_command_and_folder_and_changes_nothing() {
        let (server, client) = start().await;
        let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "db-0"}, "spec": {"containers": [
            {"name": "exporter", "ports": [{"containerPort": 9187}]}, {"name": "postgres", "ports": [{"containerPort": 5432}]}]}});
        Mock::given(method("GET")).and(path("/api/v1/namespaces/shop/pods/db-0")).respond_with(ResponseTemplate::new(200).set_body_json(pod)).mount(&server).await;
        let recorder = Recorder::in_memory(Clock::start());
        let home = Home { client: &client, platform: "shop", namespace: "shop", recorder: &recorder };
        let dir = tempfile::tempdir().expect("dir");
        let text = plan(home, &store("postgresql"), dir.path()).await.expect("plan");
        assert!(text.starts_with("db: in container postgres of pod db-0 in shop: pg_dump --file {{dir}}/x"), "{text}");
        assert!(text.ends_with(&dir.path().join("db").display().to_string()), "{text}");
        assert!(server.received_requests().await.expect("log").iter().all(|r| r.method.as_str() == "GET"));
        std::fs::create_dir(dir.path().join("db")).expect("folder");
        assert!(plan(home, &store("postgresql"), dir.path()).await.expect_err("there").to_string().contains("never overwritten"));
    }

    #[tokio::test]
    async fn what_cannot_be_backed_up_says_why() {
        let (server, client) = start().await;
        Mock::given(method("GET")).and(path("/api/v1/namespaces/shop/pods/db-0")).respond_with(status(404, "NotFound", "pods \"db-0\" not found")).mount(&server).await;
        let recorder = Recorder::in_memory(Clock::start());
        let home = Home { client: &client, platform: "shop", namespace: "shop", recorder: &recorder };
        let dir = tempfile::tempdir().expect("dir");
        let missing = format!("{:#}", back_up(home, &store("postgresql"), dir.path()).await.expect_err("no pod"));
        assert!(missing.starts_with("failed to back up db: read pod db-0") && missing.contains("not found"), "{missing}");
        let unknown = format!("{:#}", back_up(home, &store("oracle"), dir.path()).await.expect_err("no engine"));
        assert!(unknown.contains("unknown engine \"oracle\"; the engines are"), "{unknown}");
        assert!(std::fs::read_dir(dir.path()).expect("dir").next().is_none(), "nothing is left");
    }
}

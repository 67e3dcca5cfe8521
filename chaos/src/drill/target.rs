//! The restored store: alone in a fresh namespace, empty until a backup is restored into it.

use super::DrillStage;
use super::archive::Archive;
use super::backup_dir::BackupDir;
use super::extras::Extra;
use super::namespace_copy::{Copy, copy_store};
use crate::cluster_view::stateful_set_view;
use crate::cluster_watch::SteadyPace;
use crate::error::ChaosError;
use crate::pod_exec::Output;
use crate::store::{DataStore, Engine, Place};
use futures::StreamExt;
use gauntlet_fixtures::platform::Store;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use std::time::Duration;
use tokio::time::Instant;

/// The fresh store must be Ready within this time.
const READY_WITHIN: Duration = Duration::from_secs(240);
/// And must take logins within this time after it.
const OPEN_WITHIN: Duration = Duration::from_secs(60);

/// Where the restored store lives.
pub struct Target {
    /// The store.
    pub store: Box<dyn DataStore>,
    dir: BackupDir,
}

impl Target {
    /// Copies the store, waits for it, and empties it (an initialization may have filled it: nothing but the backup may
    /// stand in it).
    ///
    /// # Errors
    /// When an object cannot be copied, or the store does not come up.
    pub async fn ready(stage: &DrillStage<'_>, engine: &dyn Engine, store: &Store, source: &[Extra]) -> Result<Self, ChaosError> {
        let namespace = stage.restore_namespace.as_str();
        let home = Place { client: &stage.client, namespace: &stage.platform.namespace, store };
        let copy = Copy {
            from: &stage.platform.namespace,
            to: namespace,
            stateful_set: &store.stateful_set,
            companions: engine.companions(&home).await?,
            secret: store.secret.as_deref(),
            adapt: &|set| engine.adapt(set),
        };
        copy_store(&stage.client, &copy).await?;
        stateful_set_ready(stage, store).await?;
        let place = Place { client: &stage.client, namespace, store };
        let deadline = Instant::now() + OPEN_WITHIN;
        let opened = loop {
            // Ready may come a moment before logins work, while the store initializes itself.
            match open_empty(engine, &place, source).await {
                Ok(opened) => break opened,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        };
        let dir = BackupDir::make(&stage.client, namespace, &place.pod(), store.port, "gauntlet-restore").await?;
        Ok(Target { store: opened, dir })
    }

    /// Copies a backup in and runs the guide's command.
    ///
    /// # Errors
    /// When the backup cannot be copied or the command cannot be started. Its exit code is the caller's to judge.
    pub async fn restore(&self, store: &Store, archive: &Archive) -> Result<Output, ChaosError> {
        self.dir.copy_in(archive).await?;
        self.dir.command(&store.restore).await
    }
}

async fn open_empty(engine: &dyn Engine, place: &Place<'_>, source: &[Extra]) -> Result<Box<dyn DataStore>, ChaosError> {
    let store = engine.open(place).await?;
    store.empty(source).await?;
    Ok(store)
}

async fn stateful_set_ready(stage: &DrillStage<'_>, store: &Store) -> Result<(), ChaosError> {
    let api: Api<StatefulSet> = Api::namespaced(stage.client.clone(), &stage.restore_namespace);
    let mut seen = "nothing".to_owned();
    let wait = async {
        let mut states = std::pin::pin!(watch_object(api, &store.stateful_set).backoff(SteadyPace));
        while let Some(state) = states.next().await {
            let Ok(Some(set)) = state else { continue };
            let view = stateful_set_view(&set);
            if view.observed && view.ready >= view.desired.max(1) {
                return;
            }
            seen = format!("{} of {} pods ready", view.ready, view.desired);
        }
    };
    let waited = tokio::time::timeout(READY_WITHIN, wait).await;
    waited.map_err(|_| ChaosError::TimedOut { what: format!("StatefulSet {} in {}", store.stateful_set, stage.restore_namespace), last_seen: seen })
}

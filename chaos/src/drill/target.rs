//! The store that is restored: alone in a fresh namespace, empty until a backup is restored into it, or the live one.

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

/// The folder that a backup is copied into.
const FOLDER: &str = "gauntlet-restore";

/// Where the restored store lives.
pub struct Target {
    /// The store.
    pub store: Box<dyn DataStore>,
    dir: BackupDir,
}

impl Target {
    /// Copies the store of `home` into `namespace`, which [`make_namespace`](super::namespace_copy::make_namespace) made, waits
    /// for it, and empties it (an initialization may have filled it: nothing but the backup may stand in it).
    ///
    /// # Errors
    /// When an object cannot be copied, or the store does not come up.
    pub async fn fresh(home: &Place<'_>, namespace: &str, engine: &dyn Engine, source: &[Extra]) -> Result<Self, ChaosError> {
        let (client, store) = (home.client, home.store);
        let copy = Copy {
            from: home.namespace,
            to: namespace,
            stateful_set: &store.stateful_set,
            companions: engine.companions(home).await?,
            secret: store.secret.as_deref(),
            adapt: &|set| engine.adapt(set),
        };
        copy_store(client, &copy).await?;
        let place = Place { client, namespace, store };
        stateful_set_ready(&place).await?;
        let deadline = Instant::now() + OPEN_WITHIN;
        let opened = loop {
            // Ready may come a moment before logins work, while the store initializes itself.
            match open_empty(engine, &place, source).await {
                Ok(opened) => break opened,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        };
        let dir = BackupDir::make(client, namespace, &place.pod(), store.port, FOLDER).await?;
        Ok(Target { store: opened, dir })
    }

    /// The live store itself. Nothing of it is changed yet.
    ///
    /// # Errors
    /// When it cannot be opened, or its container has no place for a backup.
    pub async fn live(place: &Place<'_>, engine: &dyn Engine) -> Result<Self, ChaosError> {
        let store = engine.open(place).await?;
        let dir = BackupDir::make(place.client, place.namespace, &place.pod(), place.store.port, FOLDER).await?;
        Ok(Target { store, dir })
    }

    /// Removes the copied backup from the container.
    ///
    /// # Errors
    /// When the container refuses.
    pub async fn tidy(&self) -> Result<(), ChaosError> {
        self.dir.remove().await
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

async fn stateful_set_ready(place: &Place<'_>) -> Result<(), ChaosError> {
    let (namespace, store) = (place.namespace, place.store);
    let api: Api<StatefulSet> = Api::namespaced(place.client.clone(), namespace);
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
    waited.map_err(|_| ChaosError::TimedOut { what: format!("StatefulSet {} in {namespace}", store.stateful_set), last_seen: seen })
}

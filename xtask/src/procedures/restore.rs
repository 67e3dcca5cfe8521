//! Restores saved backups with the guide's commands: into the live stores, or into copies of them in a namespace of their
//! own. What was restored is compared with what was backed up, as the drill of `verify` does it.

use super::backup::Home;
use anyhow::{Context as _, Result, bail};
use gauntlet_chaos::drill::backup::Backup;
use gauntlet_chaos::drill::namespace_copy::make_namespace;
use gauntlet_chaos::drill::restored::{Meanwhile, Restored};
use gauntlet_chaos::drill::saved;
use gauntlet_chaos::drill::target::Target;
use gauntlet_chaos::store::Engine;
use gauntlet_chaos::stores::engine_of;
use gauntlet_fixtures::platform::{Platform, Store};
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::core::v1::Namespace;
use kube::api::Api;
use std::path::Path;
use std::time::Instant;

/// A backup and the store that it is of.
pub struct Chosen<'a> {
    /// The store.
    pub store: &'a Store,
    /// Its engine.
    pub engine: &'static dyn Engine,
    /// The backup, whole.
    pub backup: Backup,
}

/// Reads the backups of these stores; of all that the folder holds when none is named.
///
/// # Errors
/// When there is none, one is damaged, is another platform's, or of a store that the platform has not or has otherwise.
pub fn choose<'a>(platform: &'a Platform, names: &[String], from: &Path) -> Result<Vec<Chosen<'a>>> {
    let there = saved::stores_in(from)?;
    if there.is_empty() {
        bail!("{} holds no backup: it is the folder that `cargo xtask backup --to` was given", from.display());
    }
    let wanted = if names.is_empty() { &there } else { names };
    let mut chosen = Vec::new();
    for name in wanted {
        if !there.contains(name) {
            bail!("{} holds no backup of {name:?}; it has: {}", from.display(), there.join(", "));
        }
        let backup = saved::load(from, name)?;
        let (about, ours) = (&backup.about, &platform.name);
        if about.platform != *ours {
            bail!("{} is a backup of the platform {}, not of {ours}", from.join(name).display(), about.platform);
        }
        let (stores, _) = super::stores::choose(platform, std::slice::from_ref(name))?;
        let Some(store) = stores.first().copied() else { bail!("{ours} has no store {name}") };
        if about.engine != store.engine {
            bail!("{} was written by {}, and {name} is {} now", from.join(name).display(), about.engine, store.engine);
        }
        chosen.push(Chosen { store, engine: engine_of(store)?, backup });
    }
    Ok(chosen)
}

/// What came of one store.
pub struct Restoration {
    /// The store.
    pub store: String,
    /// The restore command failed, for this cause. None: it ended with 0, and the assertions say what it brought back.
    pub failed: Option<String>,
    /// The comparison with what was backed up.
    pub assertions: Vec<Assertion>,
    /// How long copying and the command took, in ms.
    pub ms: u64,
}

/// Makes the namespace that copies of the stores are restored into.
///
/// # Errors
/// When it is the platform's own, or exists: whatever lives there is not overwritten.
pub async fn fresh_namespace(home: Home<'_>, namespace: &str) -> Result<()> {
    free(home, namespace).await?;
    Ok(make_namespace(home.client, home.namespace, namespace).await?)
}

/// Whether a namespace of this name can be made.
///
/// # Errors
/// When it cannot.
pub async fn free(home: Home<'_>, namespace: &str) -> Result<()> {
    if namespace == home.namespace {
        bail!("--into {namespace}: it is the platform's own namespace; without --into the live stores are restored");
    }
    if Api::<Namespace>::all(home.client.clone()).get_opt(namespace).await?.is_some() {
        bail!("--into {namespace}: it exists, and nothing in it is overwritten; choose another name, or delete it");
    }
    Ok(())
}

/// Restores into a copy of the store in a fresh namespace.
///
/// # Errors
/// When the copy does not come up, or cannot be read.
pub async fn into_copy(home: Home<'_>, chosen: &Chosen<'_>, namespace: &str) -> Result<Restoration> {
    home.recorder.progress(format!("restore {} into {namespace}", chosen.store.name));
    let place = home.place(chosen.store);
    let target = Target::fresh(&place, namespace, chosen.engine, &chosen.backup.extras[0]).await?;
    run(chosen, &target, Meanwhile::Still).await
}

/// How many records the live store holds.
///
/// # Errors
/// When it cannot be read.
pub async fn live_records(home: Home<'_>, chosen: &Chosen<'_>) -> Result<usize> {
    let place = home.place(chosen.store);
    Ok(chosen.engine.open(&place).await?.content().await?.records())
}

/// Why a live store is not restored: it holds data, and nobody said that they may be overwritten. Pure.
pub fn refused(chosen: &Chosen<'_>, records: usize, overwrite: bool) -> Option<String> {
    (records > 0 && !overwrite).then(|| {
        let (name, record) = (&chosen.store.name, chosen.engine.words().record);
        format!(
            "{name} holds {records} {record}s, and they would be overwritten. --overwrite-live-data does it (what stands there is backed up \
            first); --into NAMESPACE restores beside it"
        )
    })
}

/// Restores into the live store, in the place of what it holds.
///
/// # Errors
/// When the store cannot be reached or read.
pub async fn into_live(home: Home<'_>, chosen: &Chosen<'_>) -> Result<Restoration> {
    home.recorder.progress(format!("restore {} in {}", chosen.store.name, home.namespace));
    let target = Target::live(&home.place(chosen.store), chosen.engine).await?;
    target.store.make_room(&chosen.backup.extras[0]).await.context("failed to make room for the backup")?;
    let restoration = run(chosen, &target, Meanwhile::Written).await;
    let tidied = target.tidy().await;
    let restoration = restoration?;
    tidied?;
    Ok(restoration)
}

async fn run(chosen: &Chosen<'_>, target: &Target, meanwhile: Meanwhile) -> Result<Restoration> {
    let started = Instant::now();
    let output = target.restore(chosen.store, &chosen.backup.archive).await?;
    let ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let store = chosen.store.name.clone();
    if !output.ok() {
        return Ok(Restoration { store, failed: Some(output.cause()), assertions: Vec::new(), ms });
    }
    let restored = Restored::read(&*target.store, &chosen.backup).await?;
    let assertions = restored.assertions(&chosen.backup, chosen.engine, &*target.store, meanwhile).await?;
    Ok(Restoration { store, failed: None, assertions, ms })
}

#[cfg(test)]
#[path = "restore_tests.rs"]
mod tests;

//! # What it does
//! While a ledger goes on writing, runs the guide's backup command inside the store's container and copies the dump out.
//! Starts the store alone in a fresh namespace, empties its database, copies the dump in, runs the guide's restore
//! command, makes the indexes from the dump's metadata, and compares everything with what the source held. Then it
//! restores the same dump with a few bits flipped inside a document, and once more cut short.
//!
//! # Why it matters
//! A backup is a wish until it was restored. Dumps miss collections, are empty, are older than they look. mongorestore
//! takes a dump with damaged values for a good one and exits 0: only a comparison of content notices.
//!
//! # Recovery
//! The namespace of the restore is journaled before it is made, and deleted whatever happens. The source is only read
//! (and written by the ledger's own client); the folder of the dump in its container is removed.

use crate::cluster_watch::SteadyPace;
use crate::drill::archive::{Archive, flip_inside_a_document, truncate};
use crate::drill::backup_dir::BackupDir;
use crate::drill::content::{self, Content, Differences};
use crate::drill::indexes::{self, Indexes};
use crate::drill::judge::{self, BackupTime, Damaged};
use crate::drill::{Drill, DrillStage, namespace_copy};
use crate::error::ChaosError;
use crate::ledger::check::History;
use crate::ledger::all::LedgerRun;
use crate::ledger::writer::LedgerWriter;
use crate::pod_exec::Output;
use crate::store::MongoStore;
use futures::StreamExt;
use futures::future::BoxFuture;
use gauntlet_fixtures::platform::{LedgerEndpoint, Store};
use gauntlet_reports::run::Assertion;
use k8s_openapi::api::apps::v1::StatefulSet;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::watch_object;
use mongodb::bson::{Bson, doc};
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// The drill.
pub struct MongodbDrill;

/// Acknowledged writes before the backup begins.
const LEDGER_BASELINE: usize = 20;
/// The fresh store must be Ready within this time.
const READY_WITHIN: Duration = Duration::from_secs(240);

/// All that was taken from the source.
struct Backup {
    archive: Archive,
    time: BackupTime,
    before: Content,
    after: Content,
    indexes: Indexes,
    history: Option<History>,
    file: String,
}

impl Backup {
    /// Collections that stood through the backup.
    fn collections(&self) -> BTreeSet<String> {
        self.before.collections.keys().filter(|c| self.after.collections.contains_key(*c)).cloned().collect()
    }
}

impl Drill for MongodbDrill {
    fn run<'a>(&'a self, ctx: &'a DrillStage<'a>, store: &'a Store) -> BoxFuture<'a, Vec<Assertion>> {
        Box::pin(async move {
            let mut assertions = Vec::new();
            let backup = match back_up(ctx, store, &mut assertions).await {
                Ok(Some(backup)) => backup,
                Ok(None) => return assertions,
                Err(error) => {
                    assertions.push(Assertion::inconclusive("drill.backup", "the backup command writes a backup", format!("failed to {error}")));
                    return assertions;
                }
            };
            if let Err(error) = restore_and_compare(ctx, store, &backup, &mut assertions).await {
                assertions.push(Assertion::inconclusive("drill.compared", "the restored store is compared", format!("failed to {error}")));
            }
            assertions
        })
    }
}

/// Every document of the store's database, as hashes.
async fn content_of(store: &MongoStore) -> Result<Content, ChaosError> {
    let mut content = Content::default();
    for name in store.collections().await? {
        let documents = store.documents(&name).await?;
        content.collections.insert(name, content::documents(&documents));
    }
    Ok(content)
}

fn server(store: &Store) -> impl Fn(mongodb::error::Error) -> ChaosError + '_ {
    |error| ChaosError::Store { store: store.name.clone(), cause: error.to_string() }
}

/// The ledger of the platform, when it writes to this store.
fn ledger_of<'a>(ctx: &'a DrillStage<'_>, store: &Store) -> Option<&'a LedgerEndpoint> {
    ctx.platform.ledgers.iter().find(|l| l.store == store.name)
}

fn ledger_run<'a>(ctx: &'a DrillStage<'_>) -> LedgerRun<'a> {
    LedgerRun {
        platform: ctx.platform,
        endpoints: &ctx.endpoints,
        run_dir: &ctx.run_dir,
        folder: "drill",
        run_id: &ctx.run_id,
        purpose: "drill",
        seed: ctx.seed,
        clock: ctx.recorder.clock(),
    }
}

fn start_ledger(ctx: &DrillStage<'_>, store: &Store) -> Result<Option<LedgerWriter>, ChaosError> {
    ledger_of(ctx, store).map(|ledger| ledger_run(ctx).start(ledger)).transpose()
}

/// Backs the source up under writes. None when the backup itself failed, which is then asserted.
async fn back_up(ctx: &DrillStage<'_>, store: &Store, assertions: &mut Vec<Assertion>) -> Result<Option<Backup>, ChaosError> {
    let clock = ctx.recorder.clock();
    let ledger = start_ledger(ctx, store)?;
    if let Some(ledger) = &ledger {
        // Fewer is judged later, by what depends on it.
        ledger.acknowledged(LEDGER_BASELINE, Duration::from_secs(30)).await;
    }
    let source = MongoStore::open(&ctx.client, &ctx.platform.namespace, store).await?;
    let pod = format!("{}-0", store.stateful_set);
    let dir = BackupDir::make(&ctx.client, &ctx.platform.namespace, &pod, store.port, &format!("gauntlet-{}", ctx.run_id)).await?;
    let before = content_of(&source).await?;
    let source_indexes = indexes::of_server(&source.database, before.collections.keys()).await.map_err(server(store))?;
    ctx.recorder.progress(format!("back up {} ({} collections)", store.name, before.collections.len()));
    let started_ms = clock.now_ms();
    let output = dir.command(&store.backup).await;
    let ended_ms = clock.now_ms();
    let after = content_of(&source).await?;
    let copied = dir.copy_out().await;
    // The source is left as it was, whatever came of the command.
    dir.remove().await?;
    let history = match ledger {
        Some(ledger) => Some(ledger.finish().await),
        None => None,
    };
    let (output, (tar, archive)) = (output?, copied?);
    let file = format!("drill/{}.tar", store.name);
    let path = ctx.run_dir.join(&file);
    if let Some(parent) = path.parent() {
        std::fs::create_dir_all(parent).map_err(ChaosError::file(parent))?;
    }
    std::fs::write(&path, &tar).map_err(ChaosError::file(&path))?;
    let backup = Backup { archive, time: BackupTime { started_ms, ended_ms }, before, after, indexes: source_indexes, history, file };
    let taken = taken(&backup, &output);
    let usable = taken.verdict == gauntlet_reports::verdict::Verdict::Pass;
    assertions.push(taken.with_evidence(backup.file.clone()));
    Ok(usable.then_some(backup))
}

fn taken(backup: &Backup, output: &Output) -> Assertion {
    let expected = "the backup command ends with exit code 0 and writes data";
    let ms = backup.time.ended_ms - backup.time.started_ms;
    let measured = format!("{}, {} files, {} bytes in {ms} ms", output.cause(), backup.archive.files.len(), backup.archive.size());
    if !output.ok() {
        return Assertion::fail("drill.backup", expected, measured.clone(), format!("the backup command failed: {}", output.cause()));
    }
    Assertion::check("drill.backup", backup.archive.size() > 0, expected, measured, "the backup command wrote nothing")
}

/// Where the restored store lives.
struct Target {
    store: MongoStore,
    dir: BackupDir,
}

impl Target {
    /// Waits for the fresh store and empties its database (an initialization may have filled it: nothing but the backup
    /// may stand in it).
    async fn ready(ctx: &DrillStage<'_>, store: &Store) -> Result<Self, ChaosError> {
        namespace_copy::copy_store(&ctx.client, &ctx.platform.namespace, &ctx.restore_namespace, &store.stateful_set, store.secret.as_deref()).await?;
        stateful_set_ready(ctx, store).await?;
        let pod = format!("{}-0", store.stateful_set);
        let deadline = Instant::now() + Duration::from_secs(60);
        let database = loop {
            // Ready may come a moment before logins work, while the store initializes itself.
            match MongoStore::open(&ctx.client, &ctx.restore_namespace, store).await {
                Ok(opened) => break opened,
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => tokio::time::sleep(Duration::from_millis(500)).await,
            }
        };
        let dir = BackupDir::make(&ctx.client, &ctx.restore_namespace, &pod, store.port, "gauntlet-restore").await?;
        database.database.drop().await.map_err(server(store))?;
        Ok(Target { store: database, dir })
    }

    /// Copies a dump in and runs the guide's command.
    async fn restore(&self, store: &Store, archive: &Archive) -> Result<Output, ChaosError> {
        self.dir.copy_in(archive).await?;
        self.dir.command(&store.restore).await
    }
}

async fn stateful_set_ready(ctx: &DrillStage<'_>, store: &Store) -> Result<(), ChaosError> {
    let api: Api<StatefulSet> = Api::namespaced(ctx.client.clone(), &ctx.restore_namespace);
    let mut seen = "nothing".to_owned();
    let wait = async {
        let mut states = std::pin::pin!(watch_object(api, &store.stateful_set).backoff(SteadyPace));
        while let Some(state) = states.next().await {
            let Ok(Some(set)) = state else { continue };
            let view = crate::cluster_view::stateful_set_view(&set);
            if view.observed && view.ready >= view.desired.max(1) {
                return;
            }
            seen = format!("{} of {} pods ready", view.ready, view.desired);
        }
    };
    let waited = tokio::time::timeout(READY_WITHIN, wait).await;
    waited.map_err(|_| ChaosError::TimedOut { what: format!("StatefulSet {} in {}", store.stateful_set, ctx.restore_namespace), last_seen: seen })
}

/// A document of the source is read back equal, and a new one is written and read.
async fn first_read_and_write(ctx: &DrillStage<'_>, store: &Store, target: &Target, backup: &Backup) -> Result<(), String> {
    let restored = content_of(&target.store).await.map_err(|e| format!("failed to {e}"))?;
    let differences = content::compare(&backup.before, &backup.after, &restored);
    if differences.restored.count == 0 && differences.expected.count > 0 {
        return Err(format!("no document of the source could be read: {}", differences.describe()));
    }
    let wrong = |e: mongodb::error::Error| format!("failed to write: {e}");
    let name = ledger_of(ctx, store).map_or("gauntlet_probe", |l| l.collection.as_str());
    let probe = format!("gauntlet-probe-{}", ctx.run_id);
    let collection = target.store.database.collection::<mongodb::bson::Document>(name);
    collection.insert_one(doc! { "_id": &probe }).await.map_err(wrong)?;
    let found = collection.find_one(doc! { "_id": &probe }).await.map_err(wrong)?;
    // Out again before content is compared. A collection that only the probe made goes with it.
    collection.delete_one(doc! { "_id": &probe }).await.map_err(wrong)?;
    if !restored.collections.contains_key(name) {
        collection.drop().await.map_err(wrong)?;
    }
    match found.as_ref().and_then(|d| d.get("_id")) {
        Some(Bson::String(id)) if *id == probe => Ok(()),
        _ => Err("a written document could not be read".to_owned()),
    }
}

async fn restore_and_compare(ctx: &DrillStage<'_>, store: &Store, backup: &Backup, assertions: &mut Vec<Assertion>) -> Result<(), ChaosError> {
    let dumped = indexes::of_dump(&backup.archive)?;
    let started = Instant::now();
    ctx.recorder.progress(format!("restore {} into {}", store.name, ctx.restore_namespace));
    let target = Target::ready(ctx, store).await?;
    let output = target.restore(store, &backup.archive).await?;
    let cause = output.cause();
    assertions.push(Assertion::check("drill.restore", output.ok(), "the restore command ends with exit code 0", &cause, format!("the restore command failed: {cause}")));
    let made = indexes::make(&target.store.database, &dumped).await;
    let works = first_read_and_write(ctx, store, &target, backup).await;
    assertions.push(judge::rto(works.map(|()| started.elapsed().as_millis() as u64), store));

    let restored = content_of(&target.store).await?;
    let collections: BTreeSet<_> = restored.collections.keys().cloned().collect();
    let source = backup.collections();
    assertions.push(judge::all_collections(&source, &dumped.keys().cloned().collect(), &collections));
    assertions.push(judge::content(&content::compare(&backup.before, &backup.after, &restored)));
    assertions.push(compare_indexes(store, backup, &target, made).await);
    let keys = match ledger_of(ctx, store) {
        Some(ledger) => target.store.keys(&ledger.collection, &ledger.key_field, &ledger_run(ctx).prefix(ledger)).await?,
        None => BTreeSet::new(),
    };
    assertions.push(judge::acknowledged(backup.history.as_ref(), backup.time, &keys));
    assertions.push(judge::rpo(backup.history.as_ref(), backup.time, &keys, store));

    // The negative controls come last: they overwrite the restored database.
    let whole = restored;
    for (id, damage, change) in [
        ("drill.corrupt_refused", "bits flipped inside a document", flip_inside_a_document as fn(&[u8]) -> Option<Vec<u8>>),
        ("drill.truncated_refused", "its last document cut off", truncate),
    ] {
        ctx.recorder.progress(format!("restore a backup with {damage}"));
        let came = restore_damaged(store, backup, &target, &whole, change).await;
        assertions.push(judge::damaged(id, damage, &came.unwrap_or_else(|e| Damaged::NotTried(format!("failed to {e}")))));
    }
    Ok(())
}

async fn compare_indexes(store: &Store, backup: &Backup, target: &Target, made: mongodb::error::Result<()>) -> Assertion {
    let expected = "the restored collections have the source's indexes";
    let of_restored = indexes::of_server(&target.store.database, backup.indexes.keys()).await;
    match (made, of_restored) {
        (Err(error), _) => Assertion::fail("drill.indexes", expected, "not made", format!("the server refused an index of the backup: {error}")),
        (_, Err(error)) => Assertion::inconclusive("drill.indexes", expected, format!("failed to {}", server(store)(error))),
        (Ok(()), Ok(found)) => {
            let different = indexes::compare(&backup.indexes, &found);
            let count: usize = backup.indexes.values().map(std::collections::BTreeMap::len).sum();
            Assertion::check("drill.indexes", different.is_empty(), expected, format!("{count} indexes compared"), different.join("; "))
        }
    }
}

/// Restores a damaged copy into the emptied database. The comparison is with the whole restore: the damage is all that
/// differs between the two.
async fn restore_damaged(store: &Store, backup: &Backup, target: &Target, whole: &Content, change: fn(&[u8]) -> Option<Vec<u8>>) -> Result<Damaged, ChaosError> {
    let largest = backup.archive.largest(".bson");
    let damaged = largest.and_then(|path| Some((path, change(backup.archive.files.get(path)?)?)));
    let Some((path, content)) = damaged else {
        return Ok(Damaged::NotTried("the backup holds no .bson file with a document that could be damaged".into()));
    };
    let archive = backup.archive.with(path, content);
    target.store.database.drop().await.map_err(server(store))?;
    let output = target.restore(store, &archive).await?;
    if !output.ok() {
        return Ok(Damaged::Refused(output.cause()));
    }
    let found: Differences = content::compare(whole, whole, &content_of(&target.store).await?);
    Ok(Damaged::Accepted(found.describe()))
}

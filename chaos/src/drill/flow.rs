//! The drill of one store, whatever its engine: back up under writes, restore into a store of its own, compare, and restore
//! damaged copies. What an engine knows comes through [`Engine`] and [`DataStore`](crate::store::DataStore).

use super::DrillStage;
use super::archive::Archive;
use super::backup_dir::BackupDir;
use super::content::{self, Content};
use super::extras::{self, Extra};
use super::judge::{self, BackupTime, Damaged};
use super::target::Target;
use crate::error::ChaosError;
use crate::ledger::all::LedgerRun;
use crate::ledger::check::History;
use crate::pod_exec::Output;
use crate::store::{Damage, DataStore, Engine, Place};
use gauntlet_fixtures::platform::{LedgerEndpoint, Store};
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;
use std::collections::BTreeSet;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// Acknowledged writes before the backup begins.
const LEDGER_BASELINE: usize = 20;
/// Records that expire within this time of a comparison may be gone or not.
const EXPIRY_SLACK: Duration = Duration::from_secs(5);

const WRITTEN: &str = "the backup command writes a backup";

/// The assertion of a store that platform.yaml gives no commands for. None: it is to be drilled.
pub fn not_backed_up(store: &Store) -> Option<Assertion> {
    if !store.backup.is_empty() && !store.restore.is_empty() {
        return None;
    }
    let reason = store.options.get("reason").map_or("platform.yaml gives no commands for it", String::as_str);
    Some(judge::not_applicable("drill.backup", WRITTEN, reason))
}

/// One store's drill.
pub struct Flow<'a> {
    /// The stage.
    pub stage: &'a DrillStage<'a>,
    /// What the store's engine knows.
    pub engine: &'a dyn Engine,
    /// The store.
    pub store: &'a Store,
}

/// All that was taken from the source.
struct Backup {
    archive: Archive,
    time: BackupTime,
    before: Content,
    after: Content,
    extras: [Vec<Extra>; 2],
    history: Option<History>,
    file: String,
}

impl Backup {
    /// Collections that stood through the backup.
    fn collections(&self) -> BTreeSet<String> {
        self.before.collections.keys().filter(|c| self.after.collections.contains_key(*c)).cloned().collect()
    }
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

/// The comparison, without what expires on its own.
fn compared(before: &Content, after: &Content, restored: &Content) -> content::Differences {
    let now = unix_ms() + EXPIRY_SLACK.as_millis() as u64;
    let [before, after, restored] = content::without_expired([before, after, restored], now);
    content::compare(&before, &after, &restored)
}

impl Flow<'_> {
    /// Runs the drill and gives its assertions. Leaves the namespace of the restore to the stage.
    pub async fn run(&self) -> Vec<Assertion> {
        let mut assertions = Vec::new();
        match self.back_up(&mut assertions).await {
            Ok(Some(backup)) => {
                if let Err(error) = self.restore_and_compare(&backup, &mut assertions).await {
                    assertions.push(Assertion::inconclusive("drill.compared", "the restored store is compared", format!("failed to {error}")));
                }
            }
            Ok(None) => {}
            Err(error) => assertions.push(Assertion::inconclusive("drill.backup", WRITTEN, format!("failed to {error}"))),
        }
        assertions
    }

    /// The platform's ledger that writes to this store.
    fn ledger(&self) -> Option<&LedgerEndpoint> {
        self.stage.platform.ledgers.iter().find(|l| l.store == self.store.name)
    }

    fn ledger_run(&self) -> LedgerRun<'_> {
        let stage = self.stage;
        LedgerRun {
            platform: stage.platform,
            endpoints: &stage.endpoints,
            run_dir: &stage.run_dir,
            folder: "drill",
            run_id: &stage.run_id,
            purpose: "drill",
            seed: stage.seed,
            clock: stage.recorder.clock(),
        }
    }

    /// Backs the source up under writes. None when the backup itself failed, which is then asserted.
    async fn back_up(&self, assertions: &mut Vec<Assertion>) -> Result<Option<Backup>, ChaosError> {
        let (stage, store) = (self.stage, self.store);
        let (clock, namespace) = (stage.recorder.clock(), stage.platform.namespace.as_str());
        let ledger = self.ledger().map(|ledger| self.ledger_run().start(ledger)).transpose()?;
        if let Some(ledger) = &ledger {
            // Fewer is judged later, by what depends on it.
            ledger.acknowledged(LEDGER_BASELINE, Duration::from_secs(30)).await;
        }
        let place = Place { client: &stage.client, namespace, store };
        let source = self.engine.open(&place).await?;
        let dir = BackupDir::make(&stage.client, namespace, &place.pod(), store.port, &format!("gauntlet-{}", stage.run_id)).await?;
        let (before, extras_before) = (source.content().await?, source.extras().await?);
        stage.recorder.progress(format!("back up {} ({} {}s)", store.name, before.collections.len(), self.engine.words().collection));
        let started_ms = clock.now_ms();
        let output = dir.command(&store.backup).await;
        let ended_ms = clock.now_ms();
        let (after, extras_after) = (source.content().await, source.extras().await);
        let copied = dir.copy_out().await;
        // The source is left as it was, whatever came of the command.
        dir.remove().await?;
        let history = match ledger {
            Some(ledger) => Some(ledger.finish().await),
            None => None,
        };
        let (output, (tar, archive)) = (output?, copied?);
        let file = format!("drill/{}.tar", store.name);
        let path = stage.run_dir.join(&file);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(ChaosError::file(parent))?;
        }
        std::fs::write(&path, &tar).map_err(ChaosError::file(&path))?;
        let extras = [extras_before, extras_after?];
        let backup = Backup { archive, time: BackupTime { started_ms, ended_ms }, before, after: after?, extras, history, file };
        let taken = taken(&backup, &output);
        let usable = taken.verdict == Verdict::Pass;
        assertions.push(taken.with_evidence(backup.file.clone()));
        Ok(usable.then_some(backup))
    }

    async fn restore_and_compare(&self, backup: &Backup, assertions: &mut Vec<Assertion>) -> Result<(), ChaosError> {
        let (stage, store, words) = (self.stage, self.store, self.engine.words());
        let dumped = self.engine.in_backup(&backup.archive)?;
        let started = Instant::now();
        stage.recorder.progress(format!("restore {} into {}", store.name, stage.restore_namespace));
        let target = Target::ready(stage, self.engine, store, &backup.extras[0]).await?;
        let output = target.restore(store, &backup.archive).await?;
        let cause = output.cause();
        let ends = "the restore command ends with exit code 0";
        assertions.push(Assertion::check("drill.restore", output.ok(), ends, &cause, format!("the restore command failed: {cause}")));
        let completed = target.store.complete(&backup.archive).await;
        let restored = target.store.content().await?;
        let works = self.first_read_and_write(&*target.store, backup, &restored).await;
        assertions.push(judge::rto(works.map(|()| started.elapsed().as_millis() as u64), store));
        let collections: BTreeSet<_> = restored.collections.keys().cloned().collect();
        assertions.push(judge::all_collections(words, &backup.collections(), dumped.as_ref(), &collections));
        assertions.push(judge::content(words, &compared(&backup.before, &backup.after, &restored)));
        assertions.extend(compare_extras(backup, completed, target.store.extras().await));
        let keys = match self.ledger() {
            Some(ledger) => target.store.keys(&ledger.collection, &ledger.key_field, &self.ledger_run().prefix(ledger)).await?,
            None => BTreeSet::new(),
        };
        assertions.push(judge::acknowledged(backup.history.as_ref(), backup.time, &keys, store));
        assertions.push(judge::rpo(backup.history.as_ref(), backup.time, &keys, store));

        // The negative controls come last: they overwrite the restored store.
        for damage in [Damage::Flipped, Damage::Truncated, Damage::Emptied] {
            stage.recorder.progress(format!("restore a backup with {}", judge::named(damage, words).1));
            let came = self.restore_damaged(backup, &target, &restored, damage).await;
            let came = came.unwrap_or_else(|e| Damaged::NotTried(format!("failed to {e}")));
            assertions.push(judge::damaged(damage, words, self.engine.must_show(damage), &came));
        }
        Ok(())
    }

    /// Something of the source is read back, and a new record is written and read.
    async fn first_read_and_write(&self, store: &dyn DataStore, backup: &Backup, restored: &Content) -> Result<(), String> {
        let differences = compared(&backup.before, &backup.after, restored);
        if differences.restored.count == 0 && differences.expected.count > 0 {
            return Err(format!("nothing of the source could be read: {}", differences.describe(self.engine.words())));
        }
        store.probe(&format!("gauntlet-probe-{}", self.stage.run_id)).await.map_err(|e| format!("failed to {e}"))
    }

    /// Restores a damaged copy into the emptied store. The comparison is with the whole restore: the damage is all that
    /// differs between the two.
    async fn restore_damaged(&self, backup: &Backup, target: &Target, whole: &Content, damage: Damage) -> Result<Damaged, ChaosError> {
        if whole.collections.values().all(content::Records::is_empty) {
            return Ok(Damaged::NotTried("the source holds nothing that damage could change".into()));
        }
        let damaged = match damage {
            Damage::Flipped => self.engine.flip(&backup.archive),
            Damage::Truncated => self.engine.truncate(&backup.archive),
            Damage::Emptied => Some(backup.archive.emptied()),
        };
        let Some(archive) = damaged else {
            return Ok(Damaged::NotTried("the backup holds no file that could be damaged that way".into()));
        };
        target.store.empty(&backup.extras[0]).await?;
        let output = target.restore(self.store, &archive).await?;
        if !output.ok() {
            return Ok(Damaged::Refused(output.cause()));
        }
        let found = compared(whole, whole, &target.store.content().await?);
        Ok(Damaged::Accepted(found.describe(self.engine.words())))
    }
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

/// One assertion for each kind of extra.
fn compare_extras(backup: &Backup, completed: Result<(), ChaosError>, restored: Result<Vec<Extra>, ChaosError>) -> Vec<Assertion> {
    let [before, after] = &backup.extras;
    let pairs = before.iter().filter_map(|b| Some((b, after.iter().find(|a| a.kind == b.kind)?)));
    pairs
        .map(|(before, after)| {
            let id = format!("drill.{}", before.kind);
            match (&completed, &restored) {
                (Err(error), _) => Assertion::fail(id, before.expected, "not made", format!("the restored store refused what the backup describes: failed to {error}")),
                (_, Err(error)) => Assertion::inconclusive(id, before.expected, format!("failed to {error}")),
                (Ok(()), Ok(restored)) => extras::judge(before, after, restored.iter().find(|r| r.kind == before.kind)),
            }
        })
        .collect()
}

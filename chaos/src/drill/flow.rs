//! The drill of one store, whatever its engine: back up under writes, restore into a store of its own, compare, and restore
//! damaged copies. What an engine knows comes through [`Engine`] and [`DataStore`](crate::store::DataStore).

use super::DrillStage;
use super::backup::{self, Backup, Taken};
use super::content::{Content, Differences, Records};
use super::judge::{self, BackupTime, Damaged};
use super::namespace_copy::make_namespace;
use super::restored::{Meanwhile, Restored, compared};
use super::saved;
use super::target::Target;
use crate::error::ChaosError;
use crate::ledger::all::LedgerRun;
use crate::ledger::check::History;
use crate::store::{Damage, DataStore, Engine, Place};
use gauntlet_fixtures::platform::{LedgerEndpoint, Store};
use gauntlet_reports::run::Assertion;
use gauntlet_reports::verdict::Verdict;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::time::Instant;

/// Acknowledged writes before the backup begins.
const LEDGER_BASELINE: usize = 20;

const WRITTEN: &str = "the backup command writes a backup";

/// The assertion of a store that platform.yaml gives no commands for. None: it is to be drilled.
pub fn not_backed_up(store: &Store) -> Option<Assertion> {
    backup::not_backed_up(store).map(|reason| judge::not_applicable("drill.backup", WRITTEN, reason))
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

/// All that was taken from the source: read back from the disk, as a restore by hand would find it.
struct Source {
    backup: Backup,
    time: BackupTime,
    history: Option<History>,
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
    async fn back_up(&self, assertions: &mut Vec<Assertion>) -> Result<Option<Source>, ChaosError> {
        let (stage, store) = (self.stage, self.store);
        let ledger = self.ledger().map(|ledger| self.ledger_run().start(ledger)).transpose()?;
        if let Some(ledger) = &ledger {
            // Fewer is judged later, by what depends on it.
            ledger.acknowledged(LEDGER_BASELINE, Duration::from_secs(30)).await;
        }
        let folder = format!("gauntlet-{}", stage.run_id);
        let taken = backup::take(self.engine, &self.home(), &stage.platform.name, &folder, &stage.recorder).await;
        let history = match ledger {
            Some(ledger) => Some(ledger.finish().await),
            None => None,
        };
        let taken = taken?;
        let backups = stage.run_dir.join("drill");
        let folder = saved::folder_of(&backups, &store.name);
        if folder.exists() {
            // An earlier run wrote its report to the same place.
            std::fs::remove_dir_all(&folder).map_err(ChaosError::file(&folder))?;
        }
        saved::save(&taken.backup, &backups)?;
        let assertion = written(&taken);
        let usable = assertion.verdict == Verdict::Pass;
        assertions.push(assertion.with_evidence(format!("drill/{}/backup.json", store.name)));
        if !usable {
            return Ok(None);
        }
        Ok(Some(Source { backup: saved::load(&backups, &store.name)?, time: taken.time, history }))
    }

    /// The store where the platform runs.
    fn home(&self) -> Place<'_> {
        Place { client: &self.stage.client, namespace: &self.stage.platform.namespace, store: self.store }
    }

    async fn restore_and_compare(&self, source: &Source, assertions: &mut Vec<Assertion>) -> Result<(), ChaosError> {
        let (stage, store, words, backup) = (self.stage, self.store, self.engine.words(), &source.backup);
        let started = Instant::now();
        stage.recorder.progress(format!("restore {} into {}", store.name, stage.restore_namespace));
        make_namespace(&stage.client, &stage.platform.namespace, &stage.restore_namespace).await?;
        let target = Target::fresh(&self.home(), &stage.restore_namespace, self.engine, &backup.extras[0]).await?;
        let output = target.restore(store, &backup.archive).await?;
        let cause = output.cause();
        let ends = "the restore command ends with exit code 0";
        assertions.push(Assertion::check("drill.restore", output.ok(), ends, &cause, format!("the restore command failed: {cause}")));
        let restored = Restored::read(&*target.store, backup).await?;
        let works = self.first_read_and_write(&*target.store, &restored.differences(backup)).await;
        assertions.push(judge::rto(works.map(|()| started.elapsed().as_millis() as u64), store));
        assertions.extend(restored.assertions(backup, self.engine, &*target.store, Meanwhile::Still).await?);
        let keys = match self.ledger() {
            Some(ledger) => target.store.keys(&ledger.collection, &ledger.key_field, &self.ledger_run().prefix(ledger)).await?,
            None => BTreeSet::new(),
        };
        assertions.push(judge::acknowledged(source.history.as_ref(), source.time, &keys, store));
        assertions.push(judge::rpo(source.history.as_ref(), source.time, &keys, store));

        // The negative controls come last: they overwrite the restored store.
        for damage in [Damage::Flipped, Damage::Truncated, Damage::Emptied] {
            stage.recorder.progress(format!("restore a backup with {}", judge::named(damage, words).1));
            let came = self.restore_damaged(backup, &target, &restored.content, damage).await;
            let came = came.unwrap_or_else(|e| Damaged::NotTried(format!("failed to {e}")));
            assertions.push(judge::damaged(damage, words, self.engine.must_show(damage), &came));
        }
        Ok(())
    }

    /// Something of the source is read back, and a new record is written and read.
    async fn first_read_and_write(&self, store: &dyn DataStore, differences: &Differences) -> Result<(), String> {
        if differences.restored.count == 0 && differences.expected.count > 0 {
            return Err(format!("nothing of the source could be read: {}", differences.describe(self.engine.words())));
        }
        store.probe(&format!("gauntlet-probe-{}", self.stage.run_id)).await.map_err(|e| format!("failed to {e}"))
    }

    /// Restores a damaged copy into the emptied store. The comparison is with the whole restore: the damage is all that
    /// differs between the two.
    async fn restore_damaged(&self, backup: &Backup, target: &Target, whole: &Content, damage: Damage) -> Result<Damaged, ChaosError> {
        if whole.collections.values().all(Records::is_empty) {
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

/// `drill.backup`.
fn written(taken: &Taken) -> Assertion {
    let expected = "the backup command ends with exit code 0 and writes data";
    let (archive, ms) = (&taken.backup.archive, taken.time.ended_ms - taken.time.started_ms);
    let measured = format!("{}, {} files, {} bytes in {ms} ms", taken.output.cause(), archive.files.len(), archive.size());
    let wrong = taken.wrong();
    Assertion::check("drill.backup", wrong.is_none(), expected, measured, wrong.unwrap_or_default())
}

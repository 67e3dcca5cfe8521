//! A backup of one store: the guide's command in the store's own container, what it wrote, and what the store held while it
//! ran. The drill and `cargo xtask backup` both take it here.

use super::archive::Archive;
use super::backup_dir::BackupDir;
use super::content::Content;
use super::extras::Extra;
use super::judge::BackupTime;
use crate::error::ChaosError;
use crate::pod_exec::Output;
use crate::store::{Engine, Place};
use gauntlet_fixtures::platform::Store;
use gauntlet_reports::recorder::Recorder;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

/// Where a backup came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct About {
    /// The platform.
    pub platform: String,
    /// Its namespace.
    pub namespace: String,
    /// The store, by its name in platform.yaml.
    pub store: String,
    /// Its engine.
    pub engine: String,
    /// When the command began, in ms of Unix time.
    pub taken_ms: u64,
    /// The command that wrote it.
    pub command: Vec<String>,
}

/// A backup, with all that a restore of it is compared with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// Where it came from.
    pub about: About,
    /// What the command wrote.
    pub archive: Archive,
    /// What the source held when the command began.
    pub before: Content,
    /// What it held when the command had ended.
    pub after: Content,
    /// What it had beside records, at the same two moments.
    pub extras: [Vec<Extra>; 2],
}

impl Backup {
    /// Collections that stood through the backup.
    pub fn collections(&self) -> BTreeSet<String> {
        self.before.collections.keys().filter(|c| self.after.collections.contains_key(*c)).cloned().collect()
    }

    /// Records that the source held when the command began.
    pub fn records(&self) -> usize {
        self.before.records()
    }
}

/// A backup just taken.
pub struct Taken {
    /// What there is of it.
    pub backup: Backup,
    /// When the command ran, on the recorder's clock.
    pub time: BackupTime,
    /// How the command ended.
    pub output: Output,
}

impl Taken {
    /// Why it is no backup. None: it is one.
    pub fn wrong(&self) -> Option<String> {
        if !self.output.ok() {
            return Some(format!("the backup command failed: {}", self.output.cause()));
        }
        (self.backup.archive.size() == 0).then(|| "the backup command wrote nothing".to_owned())
    }
}

/// Why a store is not backed up: platform.yaml gives no commands for it. None: it is.
pub fn not_backed_up(store: &Store) -> Option<&str> {
    let commands = !store.backup.is_empty() && !store.restore.is_empty();
    (!commands).then(|| store.options.get("reason").map_or("platform.yaml gives no commands for it", String::as_str))
}

/// Now, in ms of Unix time.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX))
}

/// Backs a store up into a folder named `folder` of its container, copies that out, and removes it.
///
/// # Errors
/// When the store cannot be read, or the command cannot be started. How the command ended is the caller's to judge.
pub async fn take(engine: &dyn Engine, place: &Place<'_>, platform: &str, folder: &str, recorder: &Recorder) -> Result<Taken, ChaosError> {
    let (store, clock) = (place.store, recorder.clock());
    let source = engine.open(place).await?;
    let dir = BackupDir::make(place.client, place.namespace, &place.pod(), store.port, folder).await?;
    let (before, extras_before) = (source.content().await?, source.extras().await?);
    recorder.progress(format!("back up {} ({} {}s)", store.name, before.collections.len(), engine.words().collection));
    let (started_ms, taken_ms) = (clock.now_ms(), unix_ms());
    let output = dir.command(&store.backup).await;
    let ended_ms = clock.now_ms();
    let (after, extras_after) = (source.content().await, source.extras().await);
    let copied = dir.copy_out().await;
    // The source is left as it was, whatever came of the command.
    dir.remove().await?;
    let about = About {
        platform: platform.to_owned(),
        namespace: place.namespace.to_owned(),
        store: store.name.clone(),
        engine: store.engine.clone(),
        taken_ms,
        command: store.backup.clone(),
    };
    let backup = Backup { about, archive: copied?, before, after: after?, extras: [extras_before, extras_after?] };
    Ok(Taken { backup, time: BackupTime { started_ms, ended_ms }, output: output? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(exit_code: i32, bytes: &[u8]) -> Taken {
        let about = About { platform: "shop".into(), namespace: "shop".into(), store: "db".into(), engine: "redis".into(), taken_ms: 0, command: vec![] };
        let archive = Archive { files: [("dump".to_owned(), bytes.to_vec())].into() };
        let backup = Backup { about, archive, before: Content::default(), after: Content::default(), extras: [vec![], vec![]] };
        let output = Output { exit_code: Some(exit_code), stdout: vec![], stderr: "no space left".into() };
        Taken { backup, time: BackupTime { started_ms: 0, ended_ms: 1 }, output }
    }

    #[test]
    fn only_a_command_that_ended_well_and_wrote_something_made_a_backup() {
        assert_eq!(taken(0, b"x").wrong(), None);
        assert_eq!(taken(0, b"").wrong().as_deref(), Some("the backup command wrote nothing"));
        assert_eq!(taken(1, b"x").wrong().as_deref(), Some("the backup command failed: exit code 1: no space left"));
    }
}

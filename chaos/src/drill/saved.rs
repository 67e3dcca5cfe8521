//! A backup as a folder on this machine, one for each store:
//!
//! ```text
//! mongodb/files/…        what the guide's command wrote
//! mongodb/content.json   hashes of what the store held before and after: what a restore is compared with
//! mongodb/backup.json    where it came from, and the SHA-256 of every file
//! ```
//!
//! It may hold secrets (a dump of roles has their passwords), so only its owner can read it. A folder under its final name is
//! whole: it is written aside first. One whose files are not what backup.json says is refused before anything is restored.

use super::archive::Archive;
use super::backup::{About, Backup};
use super::content::{Content, hash_of_hex};
use super::extras::Extra;
use crate::error::ChaosError;
use crate::snapshot::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::DirBuilder;
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Component, Path, PathBuf};

const FORMAT: u32 = 1;
const INDEX: &str = "backup.json";
const CONTENT: &str = "content.json";
const FILES: &str = "files";

/// `backup.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Index {
    format: u32,
    about: About,
    /// Path below the folder to what stands there.
    files: BTreeMap<String, FileSum>,
}

#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSum {
    bytes: u64,
    sha256: String,
}

impl FileSum {
    fn of(content: &[u8]) -> Self {
        FileSum { bytes: content.len() as u64, sha256: hex(&Sha256::digest(content)) }
    }
}

/// `content.json`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Compared {
    before: Held,
    after: Held,
    extras: [Vec<Extra>; 2],
}

/// A [`Content`] with its hashes as text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Held {
    collections: BTreeMap<String, BTreeMap<String, String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    expiring: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Held {
    fn of(content: &Content) -> Self {
        let text = |records: &BTreeMap<String, _>| records.iter().map(|(id, hash): (&String, &[u8; 32])| (id.clone(), hex(hash))).collect();
        Held { collections: content.collections.iter().map(|(name, records)| (name.clone(), text(records))).collect(), expiring: content.expiring.clone() }
    }

    fn read(self) -> Option<Content> {
        let records = |texts: BTreeMap<String, String>| texts.into_iter().map(|(id, text)| Some((id, hash_of_hex(&text)?))).collect::<Option<_>>();
        let collections = self.collections.into_iter().map(|(name, texts)| Some((name, records(texts)?))).collect::<Option<_>>()?;
        Some(Content { collections, expiring: self.expiring })
    }
}

/// The folder of a store's backup.
pub fn folder_of(backups: &Path, store: &str) -> PathBuf {
    backups.join(store)
}

/// Refuses paths that lead out of the folder: they were written in a container.
fn below(path: &str) -> Option<PathBuf> {
    let inside = Path::new(path);
    let plain = inside.components().all(|c| matches!(c, Component::Normal(_)));
    (plain && !path.is_empty()).then(|| Path::new(FILES).join(inside))
}

fn make(folder: &Path) -> Result<(), ChaosError> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(ChaosError::file(folder))
}

fn write(path: &Path, content: &[u8]) -> Result<(), ChaosError> {
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).truncate(true).write(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| file.write_all(content).and_then(|()| file.sync_all()));
    written.map_err(ChaosError::file(path))
}

fn read_file(path: &Path) -> Result<Vec<u8>, ChaosError> {
    std::fs::read(path).map_err(ChaosError::file(path))
}

/// Writes a backup to a new folder of its store. Gives the folder.
///
/// # Errors
/// When there is one already, it cannot be written, or the backup's own paths lead out of it.
pub fn save(backup: &Backup, backups: &Path) -> Result<PathBuf, ChaosError> {
    let folder = folder_of(backups, &backup.about.store);
    if folder.exists() {
        return Err(ChaosError::backup(&folder, "a backup stands there already, and is not overwritten"));
    }
    let aside = folder.with_extension("part");
    if aside.exists() {
        std::fs::remove_dir_all(&aside).map_err(ChaosError::file(&aside))?;
    }
    make(&aside.join(FILES))?;
    let compared = Compared { before: Held::of(&backup.before), after: Held::of(&backup.after), extras: backup.extras.clone() };
    let compared = serde_json::to_vec(&compared).map_err(|e| ChaosError::backup(&folder, e.to_string()))?;
    let mut files: BTreeMap<String, FileSum> = [(CONTENT.to_owned(), FileSum::of(&compared))].into();
    write(&aside.join(CONTENT), &compared)?;
    for (path, content) in &backup.archive.files {
        let inside = below(path).ok_or_else(|| ChaosError::backup(&folder, format!("{path:?} leads out of the backup")))?;
        let file = aside.join(&inside);
        make(file.parent().unwrap_or(&aside))?;
        write(&file, content)?;
        files.insert(inside.to_string_lossy().into_owned(), FileSum::of(content));
    }
    let index = Index { format: FORMAT, about: backup.about.clone(), files };
    let index = serde_json::to_vec_pretty(&index).map_err(|e| ChaosError::backup(&folder, e.to_string()))?;
    write(&aside.join(INDEX), &index)?;
    std::fs::rename(&aside, &folder).map_err(ChaosError::file(&folder))?;
    Ok(folder)
}

/// Names of the stores that a folder holds backups of, sorted.
///
/// # Errors
/// When the folder cannot be read.
pub fn stores_in(backups: &Path) -> Result<Vec<String>, ChaosError> {
    let entries = std::fs::read_dir(backups).map_err(ChaosError::file(backups))?;
    let there = entries.filter_map(Result::ok).filter(|e| e.path().join(INDEX).is_file());
    let mut names: Vec<String> = there.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| !name.ends_with(".part"));
    names.sort();
    Ok(names)
}

/// Reads a store's backup, and finds every file as it was written.
///
/// # Errors
/// When it is not there, was written by another version, or a file of it is missing, strange or changed.
pub fn load(backups: &Path, store: &str) -> Result<Backup, ChaosError> {
    let folder = folder_of(backups, store);
    let wrong = |cause: String| ChaosError::backup(&folder, cause);
    let index: Index = serde_json::from_slice(&read_file(&folder.join(INDEX))?).map_err(|e| wrong(format!("{INDEX} cannot be understood: {e}")))?;
    if index.format != FORMAT {
        return Err(wrong(format!("it has format {}, and this version reads {FORMAT}", index.format)));
    }
    let mut contents = BTreeMap::new();
    for (path, sum) in &index.files {
        let content = read_file(&folder.join(path))?;
        if FileSum::of(&content) != *sum {
            return Err(wrong(format!("{path} is not what was written: {} bytes where {} were, or other ones", content.len(), sum.bytes)));
        }
        contents.insert(path.clone(), content);
    }
    let compared = contents.remove(CONTENT).ok_or_else(|| wrong(format!("{INDEX} does not name {CONTENT}")))?;
    let compared: Compared = serde_json::from_slice(&compared).map_err(|e| wrong(format!("{CONTENT} cannot be understood: {e}")))?;
    let (before, after) = compared.before.read().zip(compared.after.read()).ok_or_else(|| wrong(format!("{CONTENT} holds what is no hash")))?;
    let inside = |(path, content): (String, Vec<u8>)| Some((path.strip_prefix(FILES)?.strip_prefix('/')?.to_owned(), content));
    let archive = Archive { files: contents.into_iter().filter_map(inside).collect() };
    Ok(Backup { about: index.about, archive, before, after, extras: compared.extras })
}

#[cfg(test)]
#[path = "saved_tests.rs"]
mod tests;

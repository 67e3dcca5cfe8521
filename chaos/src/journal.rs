//! Faults on disk, before they are applied.
//!
//! `journal.jsonl` gets one line for each change of state of a fault, and the line is on the disk (fsync) before the
//! fault moves on. A process that is killed at any point leaves either no line (the fault was not applied) or a line
//! that says how to recover it. The last line may be torn: it is skipped, and the next one starts on a line of its own.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// The journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("{path}: {cause}")]
    Io {
        /// The file or folder.
        path: String,
        /// The cause.
        cause: std::io::Error,
    },
    /// No fault has this id.
    #[error("no fault {0:?} in the journal")]
    Unknown(String),
}

/// Where a fault stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultState {
    /// Written down; it may have been applied since (the process may have died before it said so).
    Journaled,
    /// Applied.
    Applied,
    /// Recovered, and the recovery was read back.
    Recovered,
}

/// All that is needed to recover a fault without the process that applied it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Recovery {
    /// Nothing to take back: controllers replace the pods. The workloads must be seen full.
    WorkloadsFull {
        /// The platform's namespace.
        namespace: String,
    },
    /// The node takes pods again.
    Uncordon {
        /// The node.
        node: String,
        /// The platform's namespace, whose workloads must be seen full.
        namespace: String,
    },
    /// The node's machine runs again.
    StartNode {
        /// The node.
        node: String,
        /// The platform's namespace, whose workloads must be seen full.
        namespace: String,
    },
    /// NetworkPolicies are as they were.
    PutPoliciesBack {
        /// The platform's namespace.
        namespace: String,
        /// Those that the fault changes, as they were.
        originals: Vec<OriginalPolicy>,
        /// Those that only the fault makes.
        made: Vec<String>,
    },
    /// A file that fills a volume is removed.
    RemoveFile {
        /// The platform's namespace.
        namespace: String,
        /// A pod that mounts the volume.
        pod: String,
        /// Its container.
        container: String,
        /// The file.
        path: String,
    },
    /// A script takes back what another one did.
    RunScript {
        /// The platform's namespace.
        namespace: String,
        /// The pod.
        pod: String,
        /// Its container.
        container: String,
        /// For `sh`. Harmless when there is nothing to take back.
        script: String,
    },
    /// The machines of a zone run again: all are started before any is waited for.
    StartNodes {
        /// The nodes.
        nodes: Vec<String>,
        /// The platform's namespace, whose workloads must be seen full.
        namespace: String,
    },
    /// A workload has its replicas again.
    Scale {
        /// The platform's namespace.
        namespace: String,
        /// `Kind/name`.
        workload: String,
        /// Replicas from before.
        replicas: i32,
    },
    /// A namespace that only a drill needed is deleted.
    DeleteNamespace {
        /// The namespace.
        namespace: String,
    },
}

/// A NetworkPolicy before a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OriginalPolicy {
    /// Its name.
    pub name: String,
    /// Its `spec`.
    pub spec: serde_json::Value,
}

/// What is about to be applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFault {
    /// The run.
    pub run_id: String,
    /// The platform.
    pub platform: String,
    /// The kubeconfig context (for kind: the cluster) that it is applied to.
    pub cluster: String,
    /// The experiment's name in platform.yaml, or `drill`.
    pub experiment: String,
    /// The fault, such as `stop-node`.
    pub fault: String,
    /// The target, such as `node/gauntlet-worker`.
    pub target: String,
    /// How to recover it.
    pub recovery: Recovery,
}

/// One fault of the journal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FaultRecord {
    /// Unique in the journal.
    pub id: String,
    /// What was to be applied.
    #[serde(flatten)]
    pub begun: NewFault,
    /// Where it stands.
    pub state: FaultState,
    /// When it got there, in milliseconds of Unix time (it must mean something after a reboot).
    pub at_unix_ms: u64,
}

impl std::ops::Deref for FaultRecord {
    type Target = NewFault;
    fn deref(&self) -> &NewFault {
        &self.begun
    }
}

struct Book {
    file: File,
    /// By order of beginning; ids hold the number.
    records: BTreeMap<u64, FaultRecord>,
    /// The file ends inside a line.
    torn: bool,
    damaged: usize,
}

/// The journal of a machine. Only one process may write it at a time (the run's lock sees to that).
pub struct Journal {
    path: PathBuf,
    book: Mutex<Book>,
}

fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_millis() as u64)
}

fn number_of(id: &str) -> Option<u64> {
    id.rsplit('-').next()?.parse().ok()
}

impl Journal {
    /// Opens the journal in `dir`, making both when they are missing.
    ///
    /// # Errors
    /// When the folder or the file cannot be made or read.
    pub fn open(dir: &Path) -> Result<Self, JournalError> {
        let io = |path: &Path| {
            let path = path.display().to_string();
            move |cause| JournalError::Io { path, cause }
        };
        std::fs::create_dir_all(dir).map_err(io(dir))?;
        let path = dir.join("journal.jsonl");
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(&path).map_err(io(&path))?;
        // The entry in the folder must be as durable as the lines.
        File::open(dir).and_then(|d| d.sync_all()).map_err(io(dir))?;
        // Bytes, not a string: a torn line may end inside a character.
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io(&path))?;
        let (mut records, mut damaged) = (BTreeMap::new(), 0);
        for line in bytes.split(|b| *b == b'\n').filter(|l| !l.is_empty()) {
            match serde_json::from_slice::<FaultRecord>(line).ok().and_then(|r| Some((number_of(&r.id)?, r))) {
                Some((number, record)) => drop(records.insert(number, record)),
                None => damaged += 1,
            }
        }
        let torn = bytes.last().is_some_and(|b| *b != b'\n');
        Ok(Journal { path, book: Mutex::new(Book { file, records, torn, damaged }) })
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn append(&self, book: &mut Book, record: FaultRecord) -> Result<FaultRecord, JournalError> {
        let io = |cause| JournalError::Io { path: self.path.display().to_string(), cause };
        let mut line = if std::mem::take(&mut book.torn) { "\n".to_owned() } else { String::new() };
        line.push_str(&serde_json::to_string(&record).map_err(|e| io(e.into()))?);
        line.push('\n');
        // Until the write is whole, the next one must start a new line.
        book.torn = true;
        book.file.write_all(line.as_bytes()).map_err(io)?;
        book.torn = false;
        book.file.sync_data().map_err(io)?;
        book.records.insert(number_of(&record.id).unwrap_or_default(), record.clone());
        Ok(record)
    }

    /// Writes a fault down, on disk when this returns. Only then may it be applied.
    ///
    /// # Errors
    /// When the line cannot be written: the fault must not be applied.
    pub fn begin(&self, begun: NewFault) -> Result<FaultRecord, JournalError> {
        let mut book = self.book();
        let number = book.records.keys().next_back().map_or(1, |n| n + 1);
        let id = format!("{}-{number}", begun.run_id);
        self.append(&mut book, FaultRecord { id, begun, state: FaultState::Journaled, at_unix_ms: unix_ms() })
    }

    /// Writes a fault's new state.
    ///
    /// # Errors
    /// When the id is unknown or the line cannot be written.
    pub fn mark(&self, id: &str, state: FaultState) -> Result<FaultRecord, JournalError> {
        let mut book = self.book();
        let known = book.records.values().find(|r| r.id == id).cloned();
        let record = known.ok_or_else(|| JournalError::Unknown(id.to_owned()))?;
        self.append(&mut book, FaultRecord { state, at_unix_ms: unix_ms(), ..record })
    }

    /// Faults that may stand, the newest first: they are recovered in the opposite order of their application.
    pub fn pending(&self) -> Vec<FaultRecord> {
        self.book().records.values().rev().filter(|r| r.state != FaultState::Recovered).cloned().collect()
    }

    /// Lines that could not be read (torn by a kill). Each of them is a change of state that was not acted upon.
    pub fn damaged_lines(&self) -> usize {
        self.book().damaged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(experiment: &str) -> NewFault {
        NewFault {
            run_id: "run-7".into(),
            platform: "globeco".into(),
            cluster: "kind-gauntlet".into(),
            experiment: experiment.into(),
            fault: "stop-node".into(),
            target: "node/worker-ü".into(),
            recovery: Recovery::StartNode { node: "worker-ü".into(), namespace: "shop".into() },
        }
    }

    #[test]
    fn a_fault_is_pending_from_journaled_to_recovered_across_reopening() {
        let dir = tempfile::tempdir().expect("temp dir");
        let journal = Journal::open(dir.path()).expect("open");
        let record = journal.begin(fault("stop")).expect("begin");
        assert_eq!(Journal::open(dir.path()).expect("again").pending(), std::slice::from_ref(&record));
        journal.mark(&record.id, FaultState::Applied).expect("applied");
        assert_eq!(Journal::open(dir.path()).expect("again").pending()[0].state, FaultState::Applied);
        journal.mark(&record.id, FaultState::Recovered).expect("recovered");
        assert_eq!(Journal::open(dir.path()).expect("again").pending(), []);
    }

    #[test]
    fn the_newest_fault_is_recovered_first() {
        let dir = tempfile::tempdir().expect("temp dir");
        let journal = Journal::open(dir.path()).expect("open");
        for name in ["a", "b", "c"] {
            journal.begin(fault(name)).expect("begin");
        }
        let order: Vec<_> = journal.pending().into_iter().map(|r| r.begun.experiment).collect();
        assert_eq!(order, ["c", "b", "a"]);
    }

    /// A kill may cut the file anywhere. Whatever is left: it opens, a whole `journaled` line is still pending, and
    /// what is written afterwards is read back.
    #[test]
    fn a_file_cut_at_any_byte_opens_and_takes_new_lines() {
        let dir = tempfile::tempdir().expect("temp dir");
        let journal = Journal::open(dir.path()).expect("open");
        let first = journal.begin(fault("first")).expect("begin");
        let whole_first = std::fs::metadata(&journal.path).expect("size").len() as usize;
        journal.mark(&first.id, FaultState::Recovered).expect("mark");
        let bytes = std::fs::read(&journal.path).expect("read");
        for cut in 0..bytes.len() {
            let dir = tempfile::tempdir().expect("temp dir");
            std::fs::write(dir.path().join("journal.jsonl"), &bytes[..cut]).expect("write");
            let torn = Journal::open(dir.path()).expect("opens");
            // The last byte of a line is only its end; without it the line is still whole.
            let expect_first = cut + 1 >= whole_first && cut + 1 < bytes.len();
            assert_eq!(torn.pending().len(), usize::from(expect_first), "cut at {cut}");
            let next = torn.begin(fault("next")).expect("begin");
            let pending = Journal::open(dir.path()).expect("again").pending();
            assert_eq!(pending.first(), Some(&next), "cut at {cut}");
            assert_eq!(pending.len(), 1 + usize::from(expect_first), "cut at {cut}");
        }
    }

    #[test]
    fn a_line_is_one_flat_object() {
        let line = r#"{"id":"run-7-3","run_id":"run-7","platform":"globeco","cluster":"kind","experiment":"stop","fault":"stop-node",
            "target":"node/w1","recovery":{"kind":"start_node","node":"w1","namespace":"shop"},"state":"applied","at_unix_ms":1}"#;
        let record: FaultRecord = serde_json::from_str(line).expect("record");
        assert_eq!(record.recovery, Recovery::StartNode { node: "w1".into(), namespace: "shop".into() });
        let written: serde_json::Value = serde_json::to_value(&record).expect("json");
        assert_eq!(written, serde_json::from_str::<serde_json::Value>(line).expect("json"));
    }

    #[test]
    fn damage_is_counted_and_unknown_ids_are_refused() {
        let dir = tempfile::tempdir().expect("temp dir");
        std::fs::write(dir.path().join("journal.jsonl"), b"{\"id\":\"x-1\",\xc3").expect("write");
        let journal = Journal::open(dir.path()).expect("open");
        assert_eq!(journal.damaged_lines(), 1);
        assert!(matches!(journal.mark("x-1", FaultState::Applied), Err(JournalError::Unknown(_))));
    }
}

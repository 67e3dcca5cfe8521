//! Acknowledged writes, as Jepsen's set checker keeps them: invoke, then ok, fail or info; at the end the store itself is
//! read. A timeout is info: the write may or may not be there.

pub mod all;
pub mod check;
pub mod endpoint_client;
pub mod final_read;
pub mod writer;

use check::{Findings, History};
use serde::{Deserialize, Serialize};

/// What is known of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It was sent.
    Invoke,
    /// It was acknowledged: the store must have it.
    Ok,
    /// It was refused, or never left: the store must not have it.
    Fail,
    /// Not known: timeout, reset, server error.
    Info,
}

/// A ledger at the end of an experiment.
#[derive(Debug, Clone, Default)]
pub struct LedgerView {
    /// The store that it is judged by, by its name in platform.yaml.
    pub store: String,
    /// What was written.
    pub history: History,
    /// The comparison with the final read; the error says why there was none.
    pub final_read: Option<Result<Findings, String>>,
    /// The ledger's file, relative to the run's folder.
    pub file: String,
}

/// One line of a ledger file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// The write's key.
    pub id: String,
    /// What is known now.
    pub outcome: Outcome,
    /// Status or error, for a person.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
}

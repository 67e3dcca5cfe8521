//! The ledgers of a platform, together: each writes through its entry point, and is judged by its own store.

use super::check::{History, compare};
use super::final_read::final_read;
use super::writer::{LedgerSpec, LedgerWriter};
use super::{LedgerView, Outcome};
use crate::error::ChaosError;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::{LedgerEndpoint, Platform};
use gauntlet_reports::clock::Clock;
use kube::Client;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// Writes per second of each ledger.
const RATE: u32 = 5;

/// What the ledgers of one experiment or drill have in common.
#[derive(Clone, Copy)]
pub struct LedgerRun<'a> {
    /// The platform.
    pub platform: &'a Platform,
    /// Its entry points, by name, as far as they are published on this machine.
    pub endpoints: &'a BTreeMap<String, Endpoint>,
    /// The run's folder.
    pub run_dir: &'a Path,
    /// The folder below it, `chaos` or `drill`.
    pub folder: &'a str,
    /// The run's id.
    pub run_id: &'a str,
    /// What is written for: the experiment's name, or `drill`.
    pub purpose: &'a str,
    /// The run's seed.
    pub seed: u64,
    /// The run's clock.
    pub clock: Clock,
}

impl LedgerRun<'_> {
    /// What the keys of one ledger begin with: no two ledgers of a run share it.
    pub fn prefix(&self, ledger: &LedgerEndpoint) -> String {
        let LedgerRun { run_id, purpose, .. } = self;
        if self.platform.ledgers.len() > 1 { format!("{run_id}-{purpose}-{}", ledger.store) } else { format!("{run_id}-{purpose}") }
    }

    /// Starts one ledger.
    ///
    /// # Errors
    /// When its entry point is not published here, or its file or client cannot be made.
    pub fn start(&self, ledger: &LedgerEndpoint) -> Result<LedgerWriter, ChaosError> {
        let address = self.endpoints.get(&ledger.entrypoint).ok_or_else(|| {
            ChaosError::Platform(format!("the ledger of {} writes to entry point {:?}, which is not published here", ledger.store, ledger.entrypoint))
        })?;
        let file = if self.platform.ledgers.len() > 1 {
            format!("{}.{}.ledger.jsonl", self.purpose, ledger.store)
        } else {
            format!("{}.ledger.jsonl", self.purpose)
        };
        LedgerWriter::start(LedgerSpec {
            endpoint: ledger.clone(),
            address: address.clone(),
            prefix: self.prefix(ledger),
            rate: RATE,
            seed: self.seed,
            clock: self.clock,
            file: self.run_dir.join(self.folder).join(file),
        })
    }
}

/// All ledgers of a platform, while they are written.
pub struct Ledgers<'a> {
    run: LedgerRun<'a>,
    writing: Vec<(&'a LedgerEndpoint, Result<LedgerWriter, ChaosError>)>,
}

impl<'a> Ledgers<'a> {
    /// Starts them. One that cannot be started is judged as one that could not be read.
    pub fn start(run: LedgerRun<'a>) -> Self {
        Ledgers { run, writing: run.platform.ledgers.iter().map(|ledger| (ledger, run.start(ledger))).collect() }
    }

    /// Waits until each has `n` acknowledged writes. Gives the stores whose ledger has not, when the time is over.
    pub async fn acknowledged(&self, n: usize, timeout: Duration) -> Vec<&'a str> {
        let waits = self.writing.iter().filter_map(|(ledger, writer)| Some((ledger, writer.as_ref().ok()?)));
        let waited = waits.map(|(ledger, writer)| async move { (ledger.store.as_str(), writer.acknowledged(n, timeout).await) });
        let all = futures::future::join_all(waited).await;
        all.into_iter().filter(|(_, enough)| !enough).map(|(store, _)| store).collect()
    }

    /// Stops writing, waits for the answers that are out, and compares each ledger with its store.
    pub async fn close(self, client: &Client) -> Vec<LedgerView> {
        let run = self.run;
        let closing = self.writing.into_iter().map(|(ledger, writer)| async move {
            let store = ledger.store.clone();
            match writer {
                Ok(writer) => close(run, client, ledger, writer).await,
                Err(error) => LedgerView { store, final_read: Some(Err(error.to_string())), ..Default::default() },
            }
        });
        futures::future::join_all(closing).await
    }
}

async fn close(run: LedgerRun<'_>, client: &Client, ledger: &LedgerEndpoint, writer: LedgerWriter) -> LedgerView {
    let (prefix, file) = (writer.prefix().to_owned(), writer.file().to_owned());
    let history: History = writer.finish().await;
    let final_read = if history.count(Outcome::Ok) == 0 {
        // Nothing can be lost; a store that cannot be reached must not hide that.
        None
    } else {
        let found = final_read(client, run.platform, ledger, &prefix).await;
        Some(found.map(|found| compare(&history, &found)).map_err(|e| e.to_string()))
    };
    let file = file.strip_prefix(run.run_dir).unwrap_or(&file).display().to_string();
    LedgerView { store: ledger.store.clone(), history, final_read, file }
}

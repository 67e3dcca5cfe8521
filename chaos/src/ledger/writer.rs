//! The task that writes at a steady rate and keeps the ledger on disk.

use super::check::History;
use super::endpoint_client::{client, judge, request};
use super::{Entry, Outcome};
use crate::error::ChaosError;
use crate::targets;
use gauntlet_fixtures::endpoint::Endpoint;
use gauntlet_fixtures::platform::LedgerEndpoint;
use gauntlet_reports::clock::Clock;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

/// A write that is not answered by then is info.
const ANSWER_WITHIN: Duration = Duration::from_secs(5);
/// Writes under way at once; beyond it the rate falls instead of the machine.
const IN_FLIGHT: usize = 100;

/// What a ledger writes.
#[derive(Debug, Clone)]
pub struct LedgerSpec {
    /// How a write is made.
    pub endpoint: LedgerEndpoint,
    /// Where it is sent.
    pub address: Endpoint,
    /// Keys are `<prefix>-<number>`; unique over runs and ledgers.
    pub prefix: String,
    /// Writes per second.
    pub rate: u32,
    /// The run's seed.
    pub seed: u64,
    /// The run's clock.
    pub clock: Clock,
    /// The ledger's file (JSON lines).
    pub file: PathBuf,
}

#[derive(Clone)]
struct Book {
    entries: Arc<Mutex<Vec<Entry>>>,
    file: Arc<Mutex<std::fs::File>>,
    clock: Clock,
}

impl Book {
    fn note(&self, id: &str, outcome: Outcome, detail: String) {
        // Stamped under the lock, so that the file's order is the order of time.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry { at_ms: self.clock.now_ms(), id: id.to_owned(), outcome, detail };
        let line = serde_json::to_string(&entry).unwrap_or_default();
        // The judgement uses the memory; the file is evidence. A full disk must not stop the recovery of a fault.
        let _ = writeln!(self.file.lock().unwrap_or_else(PoisonError::into_inner), "{line}");
        entries.push(entry);
    }
}

/// A ledger that is being written.
pub struct LedgerWriter {
    book: Book,
    prefix: String,
    file: PathBuf,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl LedgerWriter {
    /// Starts writing.
    ///
    /// # Errors
    /// When the file, the client or the first request cannot be made.
    pub fn start(spec: LedgerSpec) -> Result<Self, ChaosError> {
        if let Some(parent) = spec.file.parent() {
            std::fs::create_dir_all(parent).map_err(ChaosError::file(parent))?;
        }
        let file = std::fs::File::create(&spec.file).map_err(ChaosError::file(&spec.file))?;
        let book = Book { entries: Arc::default(), file: Arc::new(Mutex::new(file)), clock: spec.clock };
        let http = client(&spec.address, ANSWER_WITHIN)?;
        let mut rng = targets::rng(spec.seed, &spec.prefix);
        // Built once here, so that a wrong description is an error and not a silent ledger.
        request(&http, &spec.address, &spec.endpoint.write, "0", 0, &mut rng)?;
        let stop = CancellationToken::new();
        let (prefix, path) = (spec.prefix.clone(), spec.file.clone());
        let task = tokio::spawn(write_all(spec, http, rng, book.clone(), stop.clone()));
        Ok(LedgerWriter { book, prefix, file: path, stop, task })
    }

    /// What keys of this ledger begin with.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The ledger's file.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What is known so far.
    pub fn history(&self) -> History {
        History::of(self.book.entries.lock().unwrap_or_else(PoisonError::into_inner).iter())
    }

    /// Waits until `n` writes are acknowledged. False when that takes longer than `timeout`.
    pub async fn acknowledged(&self, n: usize, timeout: Duration) -> bool {
        let deadline = tokio::time::Instant::now() + timeout;
        // The writer ticks anyway; looking at its own pace is no busier than a signal for each write.
        let mut tick = tokio::time::interval(Duration::from_millis(100));
        while self.history().count(Outcome::Ok) < n {
            if tokio::time::Instant::now() >= deadline {
                return false;
            }
            tick.tick().await;
        }
        true
    }

    /// Stops writing, waits for the answers that are still out, and gives the whole history.
    pub async fn finish(mut self) -> History {
        self.stop.cancel();
        let _ = (&mut self.task).await;
        self.history()
    }
}

impl Drop for LedgerWriter {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn write_all(spec: LedgerSpec, http: reqwest::Client, mut rng: rand_chacha::ChaCha8Rng, book: Book, stop: CancellationToken) {
    let mut tick = tokio::time::interval(Duration::from_secs(1) / spec.rate.max(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut out = JoinSet::new();
    for seq in 0u64.. {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = tick.tick() => {}
        }
        while out.try_join_next().is_some() {}
        if out.len() >= IN_FLIGHT {
            continue;
        }
        let id = format!("{}-{seq:06}", spec.prefix);
        let Ok(request) = request(&http, &spec.address, &spec.endpoint.write, &id, seq, &mut rng) else { continue };
        let (http, book, expect) = (http.clone(), book.clone(), spec.endpoint.write.expect_status);
        book.note(&id, Outcome::Invoke, String::new());
        out.spawn(async move {
            let answer = http.execute(request).await;
            let (outcome, detail) = match &answer {
                Ok(response) => (judge(Ok(response.status().as_u16()), expect), response.status().as_u16().to_string()),
                Err(error) => (judge(Err(error), expect), error.to_string()),
            };
            book.note(&id, outcome, detail);
        });
    }
    while out.join_next().await.is_some() {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::check::compare;
    use gauntlet_fixtures::platform::Step;
    use std::collections::BTreeSet;
    use wiremock::matchers::{body_string_contains, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    async fn server() -> MockServer {
        let server = MockServer::start().await;
        // The fourth key is refused, the fifth ends in a server error, the rest is acknowledged.
        let answer = |key: &str, status| {
            Mock::given(method("POST")).and(path("/orders")).and(body_string_contains(key)).respond_with(ResponseTemplate::new(status))
        };
        answer("-000003", 422).with_priority(1).mount(&server).await;
        answer("-000004", 500).with_priority(1).mount(&server).await;
        answer("k", 201).with_priority(9).mount(&server).await;
        server
    }

    #[tokio::test]
    async fn writes_are_logged_before_they_are_sent_and_with_what_came_of_them() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let server = server().await;
        let dir = tempfile::tempdir().expect("temp dir");
        let write = Step {
            name: "order".into(),
            method: "POST".into(),
            path: "/orders".into(),
            headers: Default::default(),
            body: Some(serde_json::json!({"key": "{{id}}"})),
            expect_status: 201,
            capture: Default::default(),
        };
        let writer = LedgerWriter::start(LedgerSpec {
            endpoint: LedgerEndpoint {
                entrypoint: "api".into(),
                write,
                store: "db".into(),
                collection: "orders".into(),
                key_field: "key".into(),
            },
            address: Endpoint { address: *server.address(), host: "orders.test".into(), tls: false, ca_pem: None, health_path: "/".into() },
            prefix: "k1".into(),
            rate: 200,
            seed: 1,
            clock: Clock::start(),
            file: dir.path().join("ledger.jsonl"),
        })
        .expect("start");
        assert!(writer.acknowledged(10, Duration::from_secs(20)).await);
        let file = writer.file().to_owned();
        let history = writer.finish().await;
        assert_eq!(history.count(Outcome::Invoke), 0, "every write has an outcome after the end");
        assert_eq!(history.writes["k1-000003"].outcome, Outcome::Fail);
        assert_eq!(history.writes["k1-000004"].outcome, Outcome::Info);
        let lines = std::fs::read_to_string(file).expect("file");
        let entries: Vec<Entry> = lines.lines().map(|l| serde_json::from_str(l).expect("entry")).collect();
        assert_eq!(History::of(&entries), history, "the file says the same");
        let acked: BTreeSet<String> = history.acknowledged_by(u64::MAX).into_iter().map(str::to_owned).collect();
        assert!(compare(&history, &acked).holds());
        assert!(!compare(&history, &BTreeSet::new()).holds());
    }
}

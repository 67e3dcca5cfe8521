//! What all clients of a soak saw together, second by second. Clients write, the stage reads.

use super::closes::Close;
use crate::series::histogram;
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use hdrhistogram::Histogram;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// One second of a soak.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Second {
    /// Start on the run's clock, in ms.
    pub at_ms: u64,
    /// The fewest connections that were open at a time in it.
    pub held: u32,
    /// Events that came.
    pub events: u64,
    /// Messages that were acknowledged.
    pub acks: u64,
    /// Upgrades that were tried.
    pub connects: u32,
    /// The longest delay of the clients' own timer, in ms: how starved they were.
    pub lag_ms: u64,
    /// Median latency of the events, in ms.
    pub p50_ms: Option<f64>,
    /// 99th percentile, in ms.
    pub p99_ms: Option<f64>,
}

/// One minute's latencies, in microseconds.
#[derive(Debug, Clone)]
pub struct Minute {
    /// Start on the run's clock, in ms.
    pub at_ms: u64,
    /// Of its events.
    pub latency: Histogram<u64>,
}

/// Everything seen so far.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Seconds that are over.
    pub seconds: Vec<Second>,
    /// Minutes since all connections were open; the last one may be shorter.
    pub minutes: Vec<Minute>,
    /// Round trips of messages, in microseconds.
    pub round_trips: Histogram<u64>,
    /// Connections that ended otherwise than by us.
    pub closes: Vec<Close>,
    /// Upgrades that failed, by cause.
    pub failed: BTreeMap<String, u64>,
    /// Open connections: by client, the server where answers name it.
    pub open: BTreeMap<u32, Option<String>>,
    /// Clients that left and came back because they were told to.
    pub rotated: u32,
}

struct Inner {
    seen: Seen,
    now: Second,
    latency: Histogram<u64>,
    /// When all connections were open; minutes count from here.
    since_ms: Option<u64>,
}

/// The shared place.
pub struct Board {
    inner: Mutex<Inner>,
    open: watch::Sender<u32>,
}

fn ms(histogram: &Histogram<u64>, quantile: f64) -> Option<f64> {
    (!histogram.is_empty()).then(|| histogram.value_at_quantile(quantile) as f64 / 1000.0)
}

impl Board {
    /// Nothing seen yet.
    #[allow(clippy::new_without_default, reason = "an empty board is made once, and says so")]
    pub fn new() -> Self {
        let seen = Seen {
            seconds: Vec::new(),
            minutes: Vec::new(),
            round_trips: histogram(),
            closes: Vec::new(),
            failed: BTreeMap::new(),
            open: BTreeMap::new(),
            rotated: 0,
        };
        let inner = Inner { seen, now: Second::default(), latency: histogram(), since_ms: None };
        Board { inner: Mutex::new(inner), open: watch::Sender::new(0) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An upgrade is tried.
    pub fn tries(&self) {
        self.inner().now.connects += 1;
    }

    /// An upgrade failed.
    pub fn failed(&self, cause: String) {
        *self.inner().seen.failed.entry(cause).or_default() += 1;
    }

    /// A client's connection is open.
    pub fn opened(&self, client: u32, server: Option<String>) {
        self.count(|inner| {
            inner.seen.open.insert(client, server);
        });
    }

    /// A client's connection ended; not by us.
    pub fn closed(&self, close: Close) {
        self.count(|inner| {
            inner.seen.open.remove(&close.client);
            inner.seen.closes.push(close);
        });
    }

    /// A client leaves; `rotates`: to come back.
    pub fn left(&self, client: u32, rotates: bool) {
        self.count(|inner| {
            inner.seen.open.remove(&client);
            inner.seen.rotated += u32::from(rotates);
        });
    }

    fn count(&self, change: impl FnOnce(&mut Inner)) {
        let mut inner = self.inner();
        change(&mut inner);
        let open = u32::try_from(inner.seen.open.len()).unwrap_or(u32::MAX);
        inner.now.held = inner.now.held.min(open);
        // Told under the lock, so that the last word is the latest.
        self.open.send_replace(open);
    }

    /// An event came. `latency`: from its producer to here; `None` when it was replayed after an outage.
    pub fn event(&self, at_ms: u64, latency: Option<Duration>) {
        let mut inner = self.inner();
        inner.now.events += 1;
        let Some(latency) = latency else { return };
        let us = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        inner.latency.saturating_record(us);
        let Some(since) = inner.since_ms.filter(|since| at_ms >= *since) else { return };
        let minute = usize::try_from((at_ms - since) / 60_000).unwrap_or(usize::MAX);
        while inner.seen.minutes.len() <= minute {
            let at_ms = since + inner.seen.minutes.len() as u64 * 60_000;
            inner.seen.minutes.push(Minute { at_ms, latency: histogram() });
        }
        inner.seen.minutes[minute].latency.saturating_record(us);
    }

    /// A message was acknowledged.
    pub fn acked(&self, round_trip: Duration) {
        let mut inner = self.inner();
        inner.now.acks += 1;
        let us = u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX);
        inner.seen.round_trips.saturating_record(us);
    }

    /// All connections are open: minutes count from here.
    pub fn begins(&self, at_ms: u64) {
        self.inner().since_ms = Some(at_ms);
    }

    /// A second is over: keeps it and begins the next one.
    pub fn second(&self, ended_ms: u64, lag: Duration) -> Second {
        let mut inner = self.inner();
        let open = u32::try_from(inner.seen.open.len()).unwrap_or(u32::MAX);
        let mut over = std::mem::replace(&mut inner.now, Second { at_ms: ended_ms, held: open, ..Second::default() });
        over.lag_ms = u64::try_from(lag.as_millis()).unwrap_or(u64::MAX);
        (over.p50_ms, over.p99_ms) = (ms(&inner.latency, 0.5), ms(&inner.latency, 0.99));
        inner.latency.reset();
        inner.seen.seconds.push(over.clone());
        over
    }

    /// Everything seen so far.
    pub fn seen(&self) -> Seen {
        self.inner().seen.clone()
    }

    /// Waits until `holds` is true of what was seen. It is asked after each connection that comes or goes.
    pub async fn until(&self, holds: impl Fn(&Seen) -> bool) {
        let mut open = self.open.subscribe();
        while !holds(&self.inner().seen) {
            if open.changed().await.is_err() {
                return;
            }
        }
    }

    /// Open connections by server, where answers name it.
    pub fn spread(&self) -> BTreeMap<String, u32> {
        let mut spread = BTreeMap::new();
        for server in self.inner().seen.open.values().flatten() {
            *spread.entry(server.clone()).or_default() += 1;
        }
        spread
    }
}

/// Closes a second each second and tells its figures, until it is dropped.
pub async fn keep(board: &Board, recorder: &Recorder, name: &str) {
    let mut tick = tokio::time::interval(Duration::from_secs(1));
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    tick.tick().await;
    loop {
        let due = tick.tick().await;
        let lag = tokio::time::Instant::now().saturating_duration_since(due);
        tell(recorder, name, &board.second(recorder.clock().now_ms(), lag));
    }
}

fn tell(recorder: &Recorder, name: &str, second: &Second) {
    let sample = |series: &str, quantile: Option<&str>, value: f64| {
        let mut labels = BTreeMap::from([("endpoint".to_owned(), name.to_owned())]);
        labels.extend(quantile.map(|q| ("quantile".to_owned(), q.to_owned())));
        recorder.emit(EventKind::Sample { series: series.to_owned(), labels, value });
    };
    sample("connections_held", None, f64::from(second.held));
    sample("messages_per_s", None, (second.events + second.acks) as f64);
    for (quantile, value) in [("p50", second.p50_ms), ("p99", second.p99_ms)] {
        if let Some(ms) = value {
            sample("message_latency_ms", Some(quantile), ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(client: u32) -> Close {
        Close { client, at_ms: 5, server: None, code: 1006, reason: String::new() }
    }

    #[test]
    fn a_second_knows_its_lowest_moment() {
        let board = Board::new();
        (0..3).for_each(|client| board.opened(client, Some(format!("pod-{}", client % 2))));
        board.second(1_000, Duration::ZERO);
        board.closed(close(2));
        board.opened(2, Some("pod-1".into()));
        board.event(1_500, Some(Duration::from_millis(20)));
        let second = board.second(2_000, Duration::from_millis(7));
        assert_eq!((second.at_ms, second.held, second.events, second.lag_ms), (1_000, 2, 1, 7));
        assert!(second.p50_ms.is_some_and(|ms| (19.0..21.0).contains(&ms)));
        let second = board.second(3_000, Duration::ZERO);
        assert_eq!((second.held, second.events, second.p50_ms), (3, 0, None));
        assert_eq!(board.spread(), BTreeMap::from([("pod-0".to_owned(), 1), ("pod-1".to_owned(), 2)]));
    }

    #[test]
    fn minutes_count_from_when_all_were_open() {
        let board = Board::new();
        board.event(500, Some(Duration::from_millis(900)));
        board.begins(1_000);
        for (at, latency) in [(1_500, Some(10)), (60_999, Some(20)), (125_000, Some(30)), (125_001, None)] {
            board.event(at, latency.map(Duration::from_millis));
        }
        let counts: Vec<_> = board.seen().minutes.iter().map(|m| (m.at_ms, m.latency.len())).collect();
        assert_eq!(counts, [(1_000, 2), (61_000, 0), (121_000, 1)]);
    }

    #[tokio::test]
    async fn the_last_connection_that_opens_is_noticed() {
        let board = std::sync::Arc::new(Board::new());
        let waits = tokio::spawn({
            let board = std::sync::Arc::clone(&board);
            async move { board.until(|seen| seen.open.len() == 2).await }
        });
        board.opened(1, None);
        board.opened(2, None);
        tokio::time::timeout(Duration::from_secs(5), waits).await.expect("in time").expect("joined");
    }
}

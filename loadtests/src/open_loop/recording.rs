//! What an open-loop load saw. Recordings of threads, processes and machines merge without loss.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest time that is kept apart, in microseconds: ten minutes.
const MAX_US: u64 = 600_000_000;

/// Share of arrivals that the generator itself may hand on late, and from when on that counts, in microseconds.
const LATE_SHARE: f64 = 0.01;
const LATE_US: u64 = 10_000;

/// A histogram of microseconds with three significant digits: a percentile is within 0.1 % of the exact value.
#[derive(Debug, Clone, PartialEq)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Self {
        // The bounds are constants that hdrhistogram accepts: this cannot fail.
        Times(Histogram::new_with_bounds(1, MAX_US, 3).unwrap_or_else(|_| unreachable!()))
    }
}

impl Times {
    /// Adds a time in nanoseconds.
    pub fn add_ns(&mut self, ns: u64) {
        self.0.saturating_record(ns / 1000);
    }

    /// How many there are.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// The time at a quantile, in ms. `None` when there is none.
    pub fn ms(&self, quantile: f64) -> Option<f64> {
        (!self.0.is_empty()).then(|| self.0.value_at_quantile(quantile) as f64 / 1000.0)
    }

    /// Share of times above a bound in microseconds, 0 to 1.
    fn share_above(&self, us: u64) -> f64 {
        let above: u64 = self.0.iter_recorded().filter(|v| v.value_iterated_to() > us).map(|v| v.count_at_value()).sum();
        if self.0.is_empty() { 0.0 } else { above as f64 / self.0.len() as f64 }
    }
}

/// As pairs of microseconds and how often.
impl Serialize for Times {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())))
    }
}

impl<'de> Deserialize<'de> for Times {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut times = Times::default();
        for (us, count) in Vec::<(u64, u64)>::deserialize(deserializer)? {
            times.0.saturating_record_n(us, count);
        }
        Ok(times)
    }
}

/// All of a load, or a part of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Recording {
    /// Arrivals that were due.
    pub due: u64,
    /// Answered as expected, body read to its end.
    pub ok: u64,
    /// Failed, by cause: `status 503`, `timeout`, `connect`, `connection lost`.
    pub errors: BTreeMap<String, u64>,
    /// Arrivals that never left: every connection was busy and too many waited already.
    pub dropped: u64,
    /// From the intended time to the end of the body, of every request that left: a failed one counts for as long as it took.
    pub latency: Times,
    /// The same from when it left: what a closed-loop tool would show.
    pub service: Times,
    /// From the intended time until the generator handed it to a connection: its own lateness.
    pub lag: Times,
    /// From there until a connection was free: the server's lateness, part of the latency.
    pub wait: Times,
    /// Processor time of the generator, in ms.
    pub cpu_ms: u64,
    /// Connections that were opened.
    pub connections: u64,
}

impl Recording {
    /// Adds another part of the same load.
    pub fn merge(&mut self, other: &Recording) {
        self.due += other.due;
        self.ok += other.ok;
        self.dropped += other.dropped;
        self.cpu_ms += other.cpu_ms;
        self.connections += other.connections;
        for (cause, count) in &other.errors {
            *self.errors.entry(cause.clone()).or_default() += count;
        }
        let times = [(&mut self.latency, &other.latency), (&mut self.service, &other.service), (&mut self.lag, &other.lag), (&mut self.wait, &other.wait)];
        for (mine, theirs) in times {
            // Both have the same bounds, so every value fits.
            let _ = mine.0.add(&theirs.0);
        }
    }

    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Why the generator was not what it says it was, when it was not: its figures are then no measure of the server.
    pub fn starved(&self) -> Option<String> {
        let late = self.lag.share_above(LATE_US);
        (late > LATE_SHARE).then(|| {
            format!("{:.1} % of the requests left the generator more than {} ms late: it had too little of the processors", late * 100.0, LATE_US / 1000)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(latencies_ms: &[u64], lag_ms: u64) -> Recording {
        let mut part = Recording { due: latencies_ms.len() as u64, ok: latencies_ms.len() as u64, ..Recording::default() };
        for ms in latencies_ms {
            part.latency.add_ns(ms * 1_000_000);
            part.lag.add_ns(lag_ms * 1_000_000);
        }
        part
    }

    #[test]
    fn merged_parts_are_the_whole() {
        let (low, high): (Vec<u64>, Vec<u64>) = (1..=1000).partition(|ms| ms % 3 == 0);
        let mut merged = part(&low, 0);
        merged.errors.insert("timeout".into(), 2);
        let mut other = part(&high, 0);
        other.errors.insert("timeout".into(), 1);
        merged.merge(&other);
        assert_eq!((merged.due, merged.failed(), merged.latency.count()), (1000, 3, 1000));
        for (quantile, exact) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0)] {
            let seen = merged.latency.ms(quantile).expect("times");
            assert!((seen / exact - 1.0).abs() < 0.002, "{quantile}: {seen} of {exact}");
        }
    }

    #[test]
    fn a_recording_survives_its_file() {
        let before = part(&[1, 20, 300, 90_000], 3);
        let after: Recording = serde_json::from_str(&serde_json::to_string(&before).expect("writes")).expect("reads");
        assert_eq!(after, before);
    }

    #[test]
    fn a_late_generator_is_told_from_a_slow_server() {
        assert_eq!(part(&[900; 100], 0).starved(), None);
        assert!(part(&[900; 100], 50).starved().expect("starved").contains("100.0 %"));
        assert_eq!(Recording::default().starved(), None);
    }
}

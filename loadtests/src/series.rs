//! What a load saw, second by second, and windows over it.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Longest latency that is kept apart, in microseconds: two minutes.
const MAX_US: u64 = 120_000_000;

/// An empty histogram of microseconds with two significant digits.
pub fn histogram() -> Histogram<u64> {
    // The bounds are constants that hdrhistogram accepts: this cannot fail.
    Histogram::new_with_bounds(1, MAX_US, 2).unwrap_or_else(|_| Histogram::new(2).unwrap_or_else(|_| unreachable!()))
}

/// One step during one second. A request counts in the second in which it ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepSecond {
    /// Requests answered with the expected status, body read to its end.
    pub ok: u64,
    /// Failed requests by cause: `status 503`, `timeout`, `connect`, `body`, `capture id`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub errors: BTreeMap<String, u64>,
    /// Latency of the answered requests to the end of the body: microseconds and how often, ready to be merged.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub latency_us: Vec<(u64, u64)>,
}

/// One second of a load.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Second {
    /// Start on the run's clock, in ms. The last second of a load may be shorter.
    pub at_ms: u64,
    /// Users at its end.
    pub users: u32,
    /// The plan's segment at its end.
    pub segment: usize,
    /// The longest delay of the generator's own timer, in ms: how starved the generator was.
    pub lag_ms: u64,
    /// Processor time that the generator used in it, in ms.
    pub cpu_ms: u64,
    /// By step, as `journey/step`.
    pub steps: BTreeMap<String, StepSecond>,
    /// Requests by the server that answered, where answers name it in `x-served-by`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub servers: BTreeMap<String, u64>,
}

/// The sum over some seconds and steps.
#[derive(Debug, Clone)]
pub struct Window {
    /// Seconds in it.
    pub seconds: u64,
    /// Seconds with at least one failed request.
    pub seconds_with_errors: u64,
    /// All requests.
    pub requests: u64,
    /// Failed requests by cause.
    pub errors: BTreeMap<String, u64>,
    /// Latency of the answered requests, in microseconds.
    pub latency: Histogram<u64>,
}

impl Default for Window {
    fn default() -> Self {
        Window { seconds: 0, seconds_with_errors: 0, requests: 0, errors: BTreeMap::new(), latency: histogram() }
    }
}

impl Window {
    /// The sum over seconds.
    pub fn of<'a>(seconds: impl IntoIterator<Item = &'a Second>) -> Self {
        let mut window = Window::default();
        for second in seconds {
            window.seconds += 1;
            window.seconds_with_errors += u64::from(second.steps.values().any(|s| !s.errors.is_empty()));
            second.steps.values().for_each(|step| window.add(step));
        }
        window
    }

    /// The same for each step.
    pub fn by_step<'a>(seconds: impl IntoIterator<Item = &'a Second>) -> BTreeMap<String, Window> {
        let mut windows: BTreeMap<String, Window> = BTreeMap::new();
        for second in seconds {
            for (name, step) in &second.steps {
                let window = windows.entry(name.clone()).or_default();
                window.seconds += 1;
                window.seconds_with_errors += u64::from(!step.errors.is_empty());
                window.add(step);
            }
        }
        windows
    }

    fn add(&mut self, step: &StepSecond) {
        self.requests += step.ok;
        for (cause, count) in &step.errors {
            self.requests += count;
            *self.errors.entry(cause.clone()).or_default() += count;
        }
        for &(us, count) in &step.latency_us {
            self.latency.saturating_record_n(us, count);
        }
    }

    /// Failed requests.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    /// Share of failed requests, 0 to 1. 0 when there was no request at all: check [`Window::requests`] first.
    pub fn error_ratio(&self) -> f64 {
        if self.requests == 0 { 0.0 } else { self.failed() as f64 / self.requests as f64 }
    }

    /// Latency at a quantile, in ms. `None` when no request was answered.
    pub fn latency_ms(&self, quantile: f64) -> Option<f64> {
        (!self.latency.is_empty()).then(|| self.latency.value_at_quantile(quantile) as f64 / 1000.0)
    }

    /// The window in figures, for evidence files.
    pub fn summary(&self) -> Summary {
        let at = |q| self.latency_ms(q);
        Summary {
            seconds: self.seconds,
            seconds_with_errors: self.seconds_with_errors,
            requests: self.requests,
            error_ratio: self.error_ratio(),
            errors: self.errors.clone(),
            p50_ms: at(0.5),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
            max_ms: at(1.0),
            latency_us: self.latency.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect(),
        }
    }
}

/// A [`Window`] in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Seconds in it.
    pub seconds: u64,
    /// Seconds with at least one failed request.
    pub seconds_with_errors: u64,
    /// All requests.
    pub requests: u64,
    /// Share of failed requests, 0 to 1.
    pub error_ratio: f64,
    /// Failed requests by cause.
    pub errors: BTreeMap<String, u64>,
    /// Median latency of the answered requests, in ms.
    pub p50_ms: Option<f64>,
    /// 95th percentile, in ms.
    pub p95_ms: Option<f64>,
    /// 99th percentile, in ms.
    pub p99_ms: Option<f64>,
    /// The longest, in ms.
    pub max_ms: Option<f64>,
    /// The histogram: microseconds and how often.
    pub latency_us: Vec<(u64, u64)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(at_ms: u64, latency_us: &[(u64, u64)], errors: &[(&str, u64)]) -> Second {
        let step = StepSecond {
            ok: latency_us.iter().map(|(_, n)| n).sum(),
            errors: errors.iter().map(|(cause, n)| ((*cause).to_owned(), *n)).collect(),
            latency_us: latency_us.to_vec(),
        };
        Second { at_ms, steps: BTreeMap::from([("a/b".to_owned(), step)]), ..Second::default() }
    }

    #[test]
    fn windows_merge_histograms_not_percentiles() {
        // 95 fast and 5 slow: no second's own p95 says that, the merged one does.
        let seconds = [second(0, &[(10_000, 95)], &[]), second(1000, &[(900_000, 6)], &[])];
        let window = Window::of(&seconds);
        assert_eq!((window.requests, window.seconds), (101, 2));
        assert!((9.9..=10.2).contains(&window.latency_ms(0.9).expect("p90")));
        assert!((890.0..=910.0).contains(&window.latency_ms(0.95).expect("p95")));
        let again = Window::of(&[second(0, &window.summary().latency_us, &[])]);
        assert_eq!(again.latency_ms(0.95), window.latency_ms(0.95));
    }

    #[test]
    fn errors_are_counted_by_cause_and_by_second() {
        let seconds = [second(0, &[(1000, 8)], &[("status 503", 1), ("timeout", 1)]), second(1000, &[(1000, 10)], &[])];
        let window = Window::of(&seconds);
        assert_eq!((window.failed(), window.requests, window.seconds_with_errors), (2, 20, 1));
        assert!((window.error_ratio() - 0.1).abs() < 1e-9);
        assert_eq!(Window::by_step(&seconds)["a/b"].errors["timeout"], 1);
    }

    #[test]
    fn an_empty_window_has_no_latency() {
        let window = Window::of(&[]);
        assert_eq!((window.latency_ms(0.95), window.requests), (None, 0));
    }
}

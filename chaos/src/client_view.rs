//! What clients saw: the background load's samples, second by second, around a fault.
//!
//! The load writes `requests_per_s`, `errors_per_s` and `latency_p99_ms` once a second. `requests_per_s` counts every
//! request that ended in that second, failed ones included; a sample speaks of the second before its stamp.

use gauntlet_reports::event::{Event, EventKind};

/// A latency within so many times the baseline is back.
const LATENCY_FACTOR: f64 = 3.0;
/// A second's 99th percentile over a few requests is the slowest of them: noise up to here means nothing.
const LATENCY_NOISE_MS: f64 = 100.0;
/// The end of the observation, in seconds.
const SETTLED_SECONDS: usize = 5;
/// Healthy seconds in a row that make a recovery.
pub const HEALTHY_IN_A_ROW: usize = 3;
/// A window is a second.
const WINDOW_MS: u64 = 1000;
/// Samples of one second may be stamped a little apart.
const SAME_SECOND_MS: u64 = 500;
/// The share of the seconds of a fault window that must have a sample: a load generator that died is no proof of calm.
const COVERAGE: f64 = 0.8;
/// Requests per second, on average over the fault window, below which too little load flowed to judge.
const MIN_REQUESTS_PER_S: f64 = 1.0;

/// One second of the clients.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Window {
    /// End of the second on the run's clock, in ms.
    pub at_ms: u64,
    /// Requests that ended in it.
    pub requests: f64,
    /// Failed ones among them.
    pub errors: f64,
    /// 99th percentile of latency, in ms, when it was measured.
    pub p99_ms: Option<f64>,
}

impl Window {
    fn start_ms(&self) -> u64 {
        self.at_ms.saturating_sub(WINDOW_MS)
    }

    /// Requests ended in it, and no larger share of them failed than `budget`.
    pub fn healthy(&self, budget: f64) -> bool {
        self.requests > 0.0 && self.errors <= self.requests * budget
    }
}

/// The part of a run that one experiment is judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where the baseline began, in ms.
    pub from_ms: u64,
    /// When the fault was injected, in ms.
    pub injected_ms: u64,
    /// Injection plus the recovery time objective, in ms.
    pub window_end_ms: u64,
    /// Where the observation ended, in ms.
    pub until_ms: u64,
}

impl Span {
    /// Touches the time from injection to the objective.
    fn inside(&self, w: &Window) -> bool {
        w.at_ms > self.injected_ms && w.start_ms() < self.window_end_ms
    }
    fn observed(&self, w: &Window) -> bool {
        w.start_ms() >= self.from_ms && w.at_ms <= self.until_ms
    }
}

/// Requests and failed requests.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Tally {
    /// Requests.
    pub requests: f64,
    /// Failed ones.
    pub errors: f64,
    /// Seconds with a sample.
    pub seconds: usize,
}

impl Tally {
    fn of<'a>(windows: impl Iterator<Item = &'a Window>) -> Self {
        windows.fold(Tally::default(), |sum, w| Tally {
            requests: sum.requests + w.requests,
            errors: sum.errors + w.errors,
            seconds: sum.seconds + 1,
        })
    }

    /// Failed share, 0 to 1. Zero without requests: whether any flowed is asked first.
    pub fn error_ratio(&self) -> f64 {
        if self.requests > 0.0 { self.errors / self.requests } else { 0.0 }
    }
}

/// The clients' own recovery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientRecovery {
    /// No second of the fault window was unhealthy.
    NeverUnhealthy,
    /// From injection to the start of the first of three healthy seconds after the last unhealthy one, in ms.
    After(u64),
    /// There were no three healthy seconds after the last unhealthy one.
    Never,
}

/// The 99th percentile of latency before a fault, and at the end of its observation.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Latency {
    /// Median over the seconds before the fault, in ms.
    pub before_ms: f64,
    /// Median over the last seconds that were observed, in ms.
    pub after_ms: f64,
}

impl Latency {
    /// What counts as back: so many times the baseline, and never less than a small cluster's noise above it, in ms.
    pub fn limit_ms(&self) -> f64 {
        (self.before_ms * LATENCY_FACTOR).max(self.before_ms + LATENCY_NOISE_MS)
    }

    /// True when it is no more than what counts as back.
    pub fn is_back(&self) -> bool {
        self.after_ms <= self.limit_ms()
    }

    fn of(windows: &[&Window], span: &Span) -> Option<Self> {
        let before = windows.iter().filter(|w| w.at_ms <= span.injected_ms).filter_map(|w| w.p99_ms);
        let after = windows.iter().rev().filter(|w| w.start_ms() >= span.injected_ms).filter_map(|w| w.p99_ms).take(SETTLED_SECONDS);
        Some(Latency { before_ms: median(before.collect())?, after_ms: median(after.collect())? })
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// What clients saw of one experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ClientView {
    /// Inside of the fault window.
    pub inside: Tally,
    /// Outside of it.
    pub outside: Tally,
    /// Their recovery.
    pub recovery: ClientRecovery,
    /// Latency before and after; None when it was not measured on both sides.
    pub latency: Option<Latency>,
    /// None when enough load flowed in the fault window; else what was missing.
    pub too_little_load: Option<String>,
}

/// The seconds of a platform's clients, in order. Samples with a `step` label are parts of the whole and are left out.
pub fn windows(events: &[Event], platform: &str) -> Vec<Window> {
    let mut windows: Vec<Window> = Vec::new();
    let mut open: [bool; 3] = [false; 3];
    for event in events.iter().filter(|e| e.platform.as_deref() == Some(platform)) {
        let EventKind::Sample { series, labels, value } = &event.kind else { continue };
        let Some(which) = ["requests_per_s", "errors_per_s", "latency_p99_ms"].iter().position(|s| s == series) else { continue };
        if labels.contains_key("step") {
            continue;
        }
        let same = windows.last().is_some_and(|w| event.at_ms - w.at_ms.min(event.at_ms) <= SAME_SECOND_MS) && !open[which];
        if !same {
            windows.push(Window { at_ms: event.at_ms, ..Default::default() });
            open = [false; 3];
        }
        open[which] = true;
        if let Some(window) = windows.last_mut() {
            match which {
                0 => window.requests = *value,
                1 => window.errors = *value,
                _ => window.p99_ms = Some(*value),
            }
        }
    }
    windows
}

fn recovery(windows: &[&Window], span: &Span, budget: f64) -> ClientRecovery {
    let after = |i: usize| &windows[i + 1..];
    let last_bad = windows.iter().rposition(|w| span.inside(w) && !w.healthy(budget));
    let Some(last_bad) = last_bad else { return ClientRecovery::NeverUnhealthy };
    let calm = after(last_bad);
    let run = calm.windows(HEALTHY_IN_A_ROW).find(|run| run.iter().all(|w| w.healthy(budget)));
    run.and_then(|run| run.first()).map_or(ClientRecovery::Never, |w| {
        ClientRecovery::After(w.start_ms().saturating_sub(span.injected_ms))
    })
}

/// Judges a span of seconds. `budget_outside` is the share of failed requests that counts as healthy.
pub fn judge(windows: &[Window], span: Span, budget_outside: f64) -> ClientView {
    let seen: Vec<&Window> = windows.iter().filter(|w| span.observed(w)).collect();
    let inside = Tally::of(seen.iter().copied().filter(|w| span.inside(w)));
    let outside = Tally::of(seen.iter().copied().filter(|w| !span.inside(w)));
    let end = span.window_end_ms.min(span.until_ms);
    let seconds = end.saturating_sub(span.injected_ms) as f64 / WINDOW_MS as f64;
    let before = Tally::of(seen.iter().copied().filter(|w| w.at_ms <= span.injected_ms));
    let too_little_load = if before.requests <= 0.0 {
        Some("no request was seen before the fault".to_owned())
    } else if (inside.seconds as f64) < (seconds * COVERAGE).floor() {
        Some(format!("{} of {seconds:.0} seconds of the fault window have samples", inside.seconds))
    } else if inside.requests < seconds * MIN_REQUESTS_PER_S {
        Some(format!("{:.0} requests in {seconds:.0} s of the fault window", inside.requests))
    } else {
        None
    };
    let latency = Latency::of(&seen, &span);
    ClientView { inside, outside, recovery: recovery(&seen, &span, budget_outside), latency, too_little_load }
}

/// The last `n` seconds up to `now_ms` all have a sample and are healthy.
pub fn steady(windows: &[Window], now_ms: u64, n: usize, budget: f64) -> bool {
    let recent: Vec<_> = windows.iter().filter(|w| w.at_ms + (n as u64 + 1) * WINDOW_MS >= now_ms).collect();
    recent.len() >= n && recent.iter().rev().take(n).all(|w| w.healthy(budget))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Seconds 1..=n with ten requests each; `errors` at the given seconds.
    fn seconds(n: u64, errors: &[(u64, f64)]) -> Vec<Window> {
        let errors: BTreeMap<u64, f64> = errors.iter().copied().collect();
        (1..=n)
            .map(|s| Window { at_ms: s * 1000, requests: 10.0, errors: errors.get(&s).copied().unwrap_or(0.0), p99_ms: None })
            .collect()
    }

    const SPAN: Span = Span { from_ms: 0, injected_ms: 10_000, window_end_ms: 20_000, until_ms: 30_000 };

    #[test]
    fn errors_are_charged_to_the_window_they_fall_in() {
        let view = judge(&seconds(30, &[(5, 1.0), (11, 2.0), (20, 3.0), (22, 4.0)]), SPAN, 0.0);
        assert_eq!((view.inside.errors, view.outside.errors), (5.0, 5.0));
        assert_eq!(view.inside.seconds, 10);
        assert_eq!(view.too_little_load, None);
        assert!((view.inside.error_ratio() - 0.05).abs() < 1e-9);
    }

    #[test]
    fn a_second_that_straddles_the_injection_is_inside() {
        let span = Span { injected_ms: 10_500, ..SPAN };
        let view = judge(&seconds(30, &[(11, 1.0)]), span, 0.0);
        assert_eq!((view.inside.errors, view.outside.errors), (1.0, 0.0));
    }

    #[test]
    fn recovery_is_counted_from_injection_to_calm_that_stays() {
        let late = judge(&seconds(30, &[(12, 1.0), (16, 1.0)]), SPAN, 0.0);
        assert_eq!(late.recovery, ClientRecovery::After(6_000), "healthy seconds before the last error are no recovery");
        assert_eq!(judge(&seconds(30, &[]), SPAN, 0.0).recovery, ClientRecovery::NeverUnhealthy);
        assert_eq!(judge(&seconds(18, &[(16, 1.0)]), SPAN, 0.0).recovery, ClientRecovery::Never);
        assert_eq!(judge(&seconds(30, &[(16, 1.0)]), SPAN, 0.2).recovery, ClientRecovery::NeverUnhealthy);
    }

    #[test]
    fn latency_is_compared_between_the_time_before_and_the_end() {
        let mut slow = seconds(30, &[]);
        for window in &mut slow {
            window.p99_ms = Some(if window.at_ms > 10_000 && window.at_ms < 24_000 { 900.0 } else { 40.0 });
        }
        let back = judge(&slow, SPAN, 0.0).latency.expect("latency");
        assert_eq!((back.before_ms, back.after_ms, back.limit_ms()), (40.0, 40.0, 140.0));
        slow.iter_mut().filter(|w| w.at_ms > 10_000).for_each(|w| w.p99_ms = Some(500.0));
        assert_eq!(judge(&slow, SPAN, 0.0).latency.expect("latency").after_ms, 500.0);
        assert_eq!(judge(&seconds(30, &[]), SPAN, 0.0).latency, None);
        assert_eq!(Latency { before_ms: 200.0, after_ms: 0.0 }.limit_ms(), 600.0);
    }

    #[test]
    fn a_silent_client_proves_nothing() {
        let mut dead: Vec<_> = seconds(30, &[]);
        dead.retain(|w| w.at_ms <= 12_000);
        assert!(judge(&dead, SPAN, 0.0).too_little_load.expect("dead client").contains("2 of 10 seconds"));
        let mut idle = seconds(30, &[]);
        idle.iter_mut().filter(|w| w.at_ms > 10_000).for_each(|w| w.requests = 0.5);
        assert!(judge(&idle, SPAN, 0.0).too_little_load.is_some());
        assert!(judge(&[], SPAN, 0.0).too_little_load.is_some());
    }

    #[test]
    fn a_second_without_requests_is_not_healthy() {
        let mut stalled = seconds(30, &[]);
        stalled[11].requests = 0.0;
        assert_eq!(judge(&stalled, SPAN, 0.0).recovery, ClientRecovery::After(2_000));
    }

    #[test]
    fn samples_of_one_second_are_joined_and_parts_left_out() {
        let sample = |at_ms, series: &str, value, step: bool| Event {
            at_ms,
            platform: Some("globeco".into()),
            stage: None,
            kind: EventKind::Sample {
                series: series.into(),
                labels: if step { [("step".to_owned(), "list".to_owned())].into() } else { BTreeMap::new() },
                value,
            },
        };
        let mut events = vec![
            sample(1000, "requests_per_s", 10.0, false),
            sample(1001, "errors_per_s", 1.0, false),
            sample(1001, "requests_per_s", 7.0, true),
            sample(1400, "requests_per_s", 20.0, false),
            sample(1401, "latency_p99_ms", 8.0, false),
        ];
        events.push(Event { platform: Some("other".into()), ..sample(1500, "errors_per_s", 9.0, false) });
        let windows = windows(&events, "globeco");
        assert_eq!(
            windows,
            [
                Window { at_ms: 1000, requests: 10.0, errors: 1.0, p99_ms: None },
                Window { at_ms: 1400, requests: 20.0, errors: 0.0, p99_ms: Some(8.0) },
            ]
        );
    }

    #[test]
    fn steady_wants_recent_healthy_seconds() {
        assert!(steady(&seconds(10, &[]), 10_400, 3, 0.0));
        assert!(!steady(&seconds(10, &[(9, 1.0)]), 10_400, 3, 0.0));
        assert!(!steady(&seconds(10, &[]), 20_000, 3, 0.0), "old samples are not the present");
    }
}

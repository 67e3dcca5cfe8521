//! Counts what users saw and gives it out second by second.

use super::{Lines, TICK, journey::step_names};
use crate::plan::{LoadPlan, Segment};
use crate::processor_time::used_ms;
use crate::protocol::ChildLine;
use crate::series::{Second, StepSecond, histogram};
use gauntlet_reports::clock::Clock;
use hdrhistogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

struct StepTally {
    ok: u64,
    errors: BTreeMap<String, u64>,
    latency: Histogram<u64>,
}

struct Inner {
    lines: Option<Lines>,
    started: bool,
    since_ms: u64,
    cpu_ms: u64,
    lag_ms: u64,
    users: u32,
    place: Place,
    steps: Vec<StepTally>,
    servers: BTreeMap<String, u64>,
    known: BTreeSet<String>,
}

/// The count. Cheap to add to: one lock, one histogram slot.
pub(super) struct Tally {
    clock: Clock,
    names: Vec<String>,
    segments: Vec<Segment>,
    inner: Mutex<Inner>,
}

impl Tally {
    pub(super) fn new(clock: Clock, plan: &LoadPlan, lines: Lines) -> Self {
        let names = step_names(plan);
        let steps = names.iter().map(|_| StepTally { ok: 0, errors: BTreeMap::new(), latency: histogram() }).collect();
        let inner = Inner {
            lines: Some(lines),
            started: false,
            since_ms: clock.now_ms(),
            cpu_ms: used_ms(),
            lag_ms: 0,
            users: 0,
            place: Place::default(),
            steps,
            servers: BTreeMap::new(),
            known: BTreeSet::new(),
        };
        Tally { clock, names, segments: plan.segments.clone(), inner: Mutex::new(inner) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A user starts.
    pub(super) fn joins(&self) {
        let mut inner = self.inner();
        inner.users += 1;
        let at_ms = self.clock.now_ms();
        if !std::mem::replace(&mut inner.started, true) {
            inner.since_ms = at_ms;
            inner.say(ChildLine::Started { at_ms });
        }
        inner.moved(&self.segments, at_ms);
    }

    /// A user has left.
    pub(super) fn leaves(&self) {
        let mut inner = self.inner();
        inner.users = inner.users.saturating_sub(1);
        inner.moved(&self.segments, self.clock.now_ms());
    }

    /// A request was answered as expected, body read, this long after it was sent.
    pub(super) fn answered(&self, step: usize, latency: Duration, server: Option<&str>) {
        let mut inner = self.inner();
        let tally = &mut inner.steps[step];
        tally.ok += 1;
        tally.latency.saturating_record(u64::try_from(latency.as_micros()).unwrap_or(u64::MAX).max(1));
        inner.served(server, self.clock.now_ms());
    }

    /// A request failed.
    pub(super) fn failed(&self, step: usize, cause: &str, server: Option<&str>) {
        let mut inner = self.inner();
        *inner.steps[step].errors.entry(cause.to_owned()).or_default() += 1;
        inner.served(server, self.clock.now_ms());
    }

    /// Gives out each second as it ends and watches for starvation, until dropped.
    pub(super) async fn keep(&self) {
        loop {
            let due = Instant::now() + TICK;
            tokio::time::sleep(TICK).await;
            let lag = u64::try_from(due.elapsed().as_millis()).unwrap_or(u64::MAX);
            let over = {
                let mut inner = self.inner();
                inner.lag_ms = inner.lag_ms.max(lag);
                inner.started && self.clock.now_ms() / 1000 > inner.since_ms / 1000
            };
            if over {
                self.flush();
            }
        }
    }

    /// Gives out what there is since the last time.
    pub(super) fn flush(&self) {
        let (now, cpu) = (self.clock.now_ms(), used_ms());
        let mut inner = self.inner();
        if !inner.started {
            return;
        }
        let mut steps = BTreeMap::new();
        for (name, tally) in self.names.iter().zip(&mut inner.steps) {
            if tally.ok == 0 && tally.errors.is_empty() {
                continue;
            }
            let latency_us = tally.latency.iter_recorded().map(|v| (v.value_iterated_to(), v.count_at_value())).collect();
            tally.latency.reset();
            let errors = std::mem::take(&mut tally.errors);
            steps.insert(name.clone(), StepSecond { ok: std::mem::take(&mut tally.ok), errors, latency_us });
        }
        let second = Second {
            at_ms: inner.since_ms,
            users: inner.users,
            segment: inner.place.segment,
            lag_ms: std::mem::take(&mut inner.lag_ms),
            cpu_ms: cpu.saturating_sub(inner.cpu_ms),
            steps,
            servers: std::mem::take(&mut inner.servers),
        };
        // Seconds begin on the run clock's whole seconds, the first one apart.
        (inner.since_ms, inner.cpu_ms) = (now / 1000 * 1000, cpu);
        inner.say(ChildLine::Second(second));
    }

    /// Says no more, so that the writer can end.
    pub(super) fn close(&self) {
        self.inner().lines = None;
    }
}

impl Inner {
    fn say(&self, line: ChildLine) {
        if let Some(lines) = &self.lines {
            let _ = lines.send(line);
        }
    }

    fn moved(&mut self, segments: &[Segment], at_ms: u64) {
        if self.place.moved(segments, self.users) {
            self.say(ChildLine::Segment { index: self.place.segment, at_ms });
        }
    }

    fn served(&mut self, server: Option<&str>, at_ms: u64) {
        let Some(server) = server else { return };
        *self.servers.entry(server.to_owned()).or_default() += 1;
        if self.known.insert(server.to_owned()) {
            self.say(ChildLine::Server { name: server.to_owned(), at_ms });
        }
    }
}

/// Follows the plan by the number of users, which says more than a timer when goose is late.
#[derive(Debug, Default)]
struct Place {
    segment: usize,
    reached: bool,
}

impl Place {
    /// True when the change to `users` begins the next segment.
    fn moved(&mut self, segments: &[Segment], users: u32) -> bool {
        let here = segments[self.segment].users;
        if users == here {
            self.reached = true;
            return false;
        }
        let Some(next) = segments.get(self.segment + 1) else { return false };
        let towards = if next.users > here { users > here } else { users < here };
        if !(self.reached && towards) {
            return false;
        }
        *self = Place { segment: self.segment + 1, reached: users == next.users };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_segment_follows_the_users() {
        let segment = |users| Segment { users, seconds: 5, phase: String::new() };
        let segments = [segment(2), segment(4), segment(1)];
        let mut place = Place::default();
        let seen: Vec<_> = [1, 2, 3, 4, 3, 2, 1, 0].map(|users| (place.moved(&segments, users), place.segment)).into();
        let expected =
            [(false, 0), (false, 0), (true, 1), (false, 1), (true, 2), (false, 2), (false, 2), (false, 2)];
        assert_eq!(seen, expected);
    }

    #[test]
    fn users_that_leave_before_the_first_segment_is_reached_do_not_end_it() {
        let segment = |users| Segment { users, seconds: 5, phase: String::new() };
        let mut place = Place::default();
        assert!(!place.moved(&[segment(5), segment(1)], 3));
    }
}

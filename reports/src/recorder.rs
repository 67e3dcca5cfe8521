//! The one place that every event of a run passes.

use crate::clock::Clock;
use crate::event::{Event, EventKind};
use crate::run::{Assertion, StageName};
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What listens to a run while it runs: the live terminal.
pub trait Listener: Send {
    /// Called for each event, in order.
    fn on_event(&mut self, event: &Event);
}

struct Sink {
    file: Option<BufWriter<File>>,
    kept: Vec<Event>,
    listeners: Vec<Box<dyn Listener>>,
}

/// Takes events, stamps them on the run's clock, keeps them, writes them to `events.jsonl` at once (a killed run leaves
/// its evidence) and tells the listeners. Clones share one stream; [`Recorder::scoped`] fills in platform and stage.
#[derive(Clone)]
pub struct Recorder {
    clock: Clock,
    sink: Arc<Mutex<Sink>>,
    platform: Option<String>,
    stage: Option<StageName>,
}

impl Recorder {
    /// A recorder that writes to `events_file`.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn create(clock: Clock, events_file: &Path) -> std::io::Result<Self> {
        let file = BufWriter::new(File::create(events_file)?);
        Ok(Self::with(clock, Some(file)))
    }

    /// A recorder that only keeps events in memory.
    pub fn in_memory(clock: Clock) -> Self {
        Self::with(clock, None)
    }

    fn with(clock: Clock, file: Option<BufWriter<File>>) -> Self {
        let sink = Sink { file, kept: Vec::new(), listeners: Vec::new() };
        Recorder { clock, sink: Arc::new(Mutex::new(sink)), platform: None, stage: None }
    }

    fn sink(&self) -> MutexGuard<'_, Sink> {
        self.sink.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a listener. It hears the events from now on.
    pub fn listen(&self, listener: Box<dyn Listener>) {
        self.sink().listeners.push(listener);
    }

    /// The same stream with a platform and a stage filled in.
    pub fn scoped(&self, platform: &str, stage: StageName) -> Self {
        Recorder { platform: Some(platform.to_owned()), stage: Some(stage), ..self.clone() }
    }

    /// The run's clock.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Records what happened now.
    pub fn emit(&self, kind: EventKind) {
        self.emit_at(self.clock.now_ms(), kind);
    }

    /// Records what happened at a given time on the run's clock (a child process' sample, say).
    pub fn emit_at(&self, at_ms: u64, kind: EventKind) {
        let event = Event { at_ms, platform: self.platform.clone(), stage: self.stage, kind };
        let mut sink = self.sink();
        if let Some(file) = sink.file.as_mut() {
            // A full disk must not stop recovery of a fault: what cannot be written is still kept and shown.
            let line = serde_json::to_string(&event).unwrap_or_default();
            let _ = writeln!(file, "{line}").and_then(|()| file.flush());
        }
        for listener in &mut sink.listeners {
            listener.on_event(&event);
        }
        sink.kept.push(event);
    }

    /// Records what is worth keeping and has no event of its own.
    pub fn note(&self, message: impl Into<String>) {
        self.emit(EventKind::Note { message: message.into() });
    }

    /// Records a line of progress for a person.
    pub fn progress(&self, message: impl Into<String>) {
        self.emit(EventKind::Progress { message: message.into() });
    }

    /// Records an assertion and gives it back, for the stage's list.
    pub fn assert(&self, assertion: Assertion) -> Assertion {
        self.emit(EventKind::Asserted(assertion.clone()));
        assertion
    }

    /// Records a point of a time series without labels.
    pub fn sample(&self, series: &str, value: f64) {
        self.emit(EventKind::Sample { series: series.to_owned(), labels: Default::default(), value });
    }

    /// Everything so far, in the order of time.
    pub fn events(&self) -> Vec<Event> {
        let mut kept = self.sink().kept.clone();
        kept.sort_by_key(|e| e.at_ms);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_on_disk_at_once_and_in_scope() {
        let dir = tempfile::tempdir().expect("temp dir");
        let path = dir.path().join("events.jsonl");
        let recorder = Recorder::create(Clock::start(), &path).expect("create");
        recorder.scoped("globeco", StageName::Load).sample("errors_per_s", 2.0);
        let text = std::fs::read_to_string(&path).expect("read");
        let event: Event = serde_json::from_str(text.trim()).expect("one JSON line");
        assert_eq!((event.platform.as_deref(), event.stage), (Some("globeco"), Some(StageName::Load)));
        assert_eq!(recorder.events(), [event]);
    }

    #[test]
    fn events_come_back_in_order_of_time() {
        let recorder = Recorder::in_memory(Clock::start());
        recorder.emit_at(20, EventKind::Note { message: "late".into() });
        recorder.emit_at(10, EventKind::Note { message: "early".into() });
        let order: Vec<_> = recorder.events().iter().map(|e| e.at_ms).collect();
        assert_eq!(order, [10, 20]);
    }
}

//! Hears the background load's samples while they are recorded, so that a stage can wait for what clients see.

use crate::client_view::{Window, windows};
use gauntlet_reports::event::{Event, EventKind};
use gauntlet_reports::recorder::{Listener, Recorder};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

struct Ear {
    platform: String,
    heard: Arc<Mutex<Vec<Event>>>,
    changes: watch::Sender<u64>,
}

impl Listener for Ear {
    fn on_event(&mut self, event: &Event) {
        let of_ours = event.platform.as_deref() == Some(self.platform.as_str());
        let EventKind::Sample { series, .. } = &event.kind else { return };
        if of_ours && (series.ends_with("s_per_s") || series == "latency_p99_ms") {
            self.heard.lock().unwrap_or_else(PoisonError::into_inner).push(event.clone());
            self.changes.send_modify(|n| *n += 1);
        }
    }
}

/// The clients' seconds since it was attached.
pub struct ClientFeed {
    platform: String,
    heard: Arc<Mutex<Vec<Event>>>,
    changes: watch::Receiver<u64>,
}

impl ClientFeed {
    /// Listens to a recorder from now on. (A recorder's listeners stay for the run; this one only keeps samples.)
    pub fn attach(recorder: &Recorder, platform: &str) -> Self {
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (sender, changes) = watch::channel(0);
        recorder.listen(Box::new(Ear { platform: platform.to_owned(), heard: heard.clone(), changes: sender }));
        ClientFeed { platform: platform.to_owned(), heard, changes }
    }

    /// The seconds heard so far, in order of time.
    pub fn windows(&self) -> Vec<Window> {
        let mut events = self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone();
        events.sort_by_key(|e| e.at_ms);
        windows(&events, &self.platform)
    }

    /// Waits until the seconds heard satisfy a condition. False when the time runs out or the run is stopped.
    pub async fn wait_until(&self, condition: impl Fn(&[Window]) -> bool, timeout: Duration, stop: &CancellationToken) -> bool {
        let deadline = tokio::time::Instant::now() + timeout;
        let mut changes = self.changes.clone();
        loop {
            changes.mark_unchanged();
            if condition(&self.windows()) {
                return true;
            }
            tokio::select! {
                () = stop.cancelled() => return false,
                () = tokio::time::sleep_until(deadline) => return false,
                heard = changes.changed() => if heard.is_err() { return false },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gauntlet_reports::clock::Clock;
    use gauntlet_reports::run::StageName;

    #[tokio::test]
    async fn samples_of_the_platform_are_heard_whoever_records_them() {
        let recorder = Recorder::in_memory(Clock::start());
        let feed = ClientFeed::attach(&recorder, "globeco");
        let load = recorder.scoped("globeco", StageName::Load);
        let never = CancellationToken::new();
        let two = tokio::spawn(async move { feed.wait_until(|w| w.len() >= 2, Duration::from_secs(20), &never).await });
        load.sample("requests_per_s", 5.0);
        recorder.scoped("other", StageName::Load).sample("requests_per_s", 5.0);
        load.sample("replicas_ready", 5.0);
        load.emit_at(recorder.clock().now_ms() + 2000, EventKind::Sample { series: "requests_per_s".into(), labels: Default::default(), value: 1.0 });
        assert!(two.await.expect("task"));
    }

    #[tokio::test]
    async fn a_stopped_run_ends_the_wait() {
        let recorder = Recorder::in_memory(Clock::start());
        let feed = ClientFeed::attach(&recorder, "globeco");
        let stopped = CancellationToken::new();
        stopped.cancel();
        assert!(!feed.wait_until(|_| false, Duration::from_secs(60), &stopped).await);
    }
}

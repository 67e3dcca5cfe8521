//! A client that asks an entry point all the time, so that a procedure's effect on clients is seen.

use crate::deploy::entrypoint;
use gauntlet_fixtures::endpoint::Endpoint;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// Between two requests.
const PAUSE: Duration = Duration::from_millis(100);

/// What was seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Requests.
    pub requests: u32,
    /// Those that were not answered 2xx, each with its cause; at most 20 causes are kept.
    pub failed: u32,
    /// The first causes.
    pub causes: Vec<String>,
}

/// Asks until it is stopped.
pub struct Probe {
    seen: Arc<Mutex<Seen>>,
    task: JoinHandle<()>,
}

impl Probe {
    /// Starts asking the health path of an endpoint, ten times a second.
    ///
    /// # Errors
    /// When the endpoint is not on this machine, or no client can be made.
    pub fn start(endpoint: &Endpoint) -> anyhow::Result<Self> {
        endpoint.check_loopback()?;
        let client = entrypoint::client(endpoint)?;
        let url = endpoint.url(&endpoint.health_path);
        let seen = Arc::new(Mutex::new(Seen::default()));
        let task = tokio::spawn({
            let seen = Arc::clone(&seen);
            async move {
                loop {
                    let cause = match client.get(&url).send().await {
                        Ok(answer) if answer.status().is_success() => None,
                        Ok(answer) => Some(answer.status().to_string()),
                        Err(error) => Some(error.to_string()),
                    };
                    if let Ok(mut seen) = seen.lock() {
                        seen.requests += 1;
                        seen.failed += u32::from(cause.is_some());
                        if seen.causes.len() < 20 {
                            seen.causes.extend(cause);
                        }
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
        Ok(Probe { seen, task })
    }

    /// Stops asking and says what was seen.
    pub fn finish(self) -> Seen {
        self.task.abort();
        self.seen.lock().map(|seen| seen.clone()).unwrap_or_default()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

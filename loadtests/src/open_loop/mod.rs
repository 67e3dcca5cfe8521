//! The open-loop generator: requests leave at their intended time, whatever became of those before them.
//!
//! A closed-loop user waits for an answer before the next request, so a server that stalls is asked less while it stalls, and the
//! stall hardly shows ("coordinated omission"). Here latency runs from the intended time to the end of the body. What the
//! generator itself is late by is recorded apart ([`recording::Recording::lag`]): a starved one is no measure of a server.

pub mod access_log;
pub mod arrivals;
mod connection;
pub mod recording;
mod worker;

use self::arrivals::{Shape, ShapeError, Spacing};
use self::connection::Target;
use self::recording::Recording;
use self::worker::Part;
use gauntlet_fixtures::endpoint::{Endpoint, NotLoopback};
use serde::{Deserialize, Serialize};
use std::time::Instant;
use tokio_util::sync::CancellationToken;

/// What is sent, and when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenPlan {
    /// Where to. Loopback only.
    pub endpoint: Endpoint,
    /// The method.
    pub method: String,
    /// The path, with its query.
    pub path: String,
    /// Headers beside `Host`.
    pub headers: Vec<(String, String)>,
    /// The body, empty for none.
    pub body: Vec<u8>,
    /// The status that counts as an answer.
    pub expect_status: u16,
    /// The rate over time.
    pub shape: Shape,
    /// How arrivals lie around it.
    pub spacing: Spacing,
    /// Seed of the arrivals.
    pub seed: u64,
    /// At most so many connections, over all threads.
    pub connections: usize,
    /// At most so many requests wait for a free connection; what is due beyond that is dropped, and counted.
    pub queue: usize,
    /// A request that takes longer has failed, in ms.
    pub timeout_ms: u64,
    /// Threads that send.
    pub threads: usize,
}

/// Why there can be no such load.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The endpoint is on another machine.
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    /// The arrivals.
    #[error(transparent)]
    Shape(#[from] ShapeError),
    /// The request or the certificate authority.
    #[error("plan the load: {0}")]
    Target(String),
    /// No thread, no runtime.
    #[error("start the generator: {0}")]
    Start(#[from] std::io::Error),
    /// A thread died.
    #[error("a thread of the generator died: its part of the load is unknown")]
    Died,
}

/// Makes the load, and gives what it saw when every answer is in. On `stop` nothing more leaves.
///
/// # Errors
/// [`OpenError`], when no load could be made at all.
pub fn run(plan: &OpenPlan, stop: &CancellationToken) -> Result<Recording, OpenError> {
    plan.endpoint.check_loopback()?;
    plan.shape.check()?;
    let of = plan.threads.max(1);
    let targets: Result<Vec<_>, _> = (0..of).map(|_| Target::new(plan).map_err(OpenError::Target)).collect();
    let cpu_before = crate::processor_time::used_ms();
    let start = Instant::now();
    let parts = std::thread::scope(|scope| {
        let spawn = |(index, target)| scope.spawn(move || worker::run(plan, target, Part { index, of }, start, stop));
        let threads: Vec<_> = targets?.into_iter().enumerate().map(spawn).collect();
        let parts = threads.into_iter().map(|thread| Ok(thread.join().map_err(|_| OpenError::Died)??));
        parts.collect::<Result<Vec<Recording>, OpenError>>()
    })?;
    let mut whole = Recording::default();
    parts.iter().for_each(|part| whole.merge(part));
    whole.cpu_ms = crate::processor_time::used_ms().saturating_sub(cpu_before);
    Ok(whole)
}

#[cfg(test)]
mod tests;

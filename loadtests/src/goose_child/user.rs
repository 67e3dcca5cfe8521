//! A user: joins with a client of its own, takes one step after the other, leaves.

use super::client::{Clients, cause};
use super::journey::{ReadyJourney, ReadyStep, Walk, ready};
use super::tally::Tally;
use super::ChildError;
use crate::plan::LoadPlan;
use goose::goose::{GooseRequest, GooseUser, TransactionError, TransactionFunction, TransactionResult};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

/// Least pause after a failed request. Without it one outage of a second would count as thousands of failures, and the
/// share of failed requests would say nothing.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_millis(200);

/// The header in which a server may name itself.
const SERVED_BY: &str = "x-served-by";

/// What all users share.
pub(super) struct Crew {
    plan: LoadPlan,
    clients: Clients,
    journeys: Vec<ReadyJourney>,
    tally: Arc<Tally>,
    stop: CancellationToken,
    seq: AtomicU64,
    joined: AtomicU64,
}

struct State {
    walk: Walk,
    connected: Instant,
    rotate_after: Duration,
}

/// goose keeps a user's data as one cloneable value.
type Session = Arc<Mutex<State>>;

impl Crew {
    pub(super) fn new(plan: &LoadPlan, stop: CancellationToken, tally: Arc<Tally>) -> Result<Self, ChildError> {
        // Numbers of two loads must not meet, in one run or in two: they start at the time, in microseconds. JSON readers
        // that know doubles only still keep them apart.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let seq = u64::try_from(now.as_millis()).unwrap_or(0).saturating_mul(1000);
        Ok(Crew {
            plan: plan.clone(),
            clients: Clients::new(plan)?,
            journeys: ready(plan)?,
            tally,
            stop,
            seq: AtomicU64::new(seq),
            joined: AtomicU64::new(0),
        })
    }

    pub(super) fn joins(self: Arc<Self>) -> TransactionFunction {
        Arc::new(move |user| {
            let crew = self.clone();
            Box::pin(async move { crew.join(user) })
        })
    }

    pub(super) fn takes_a_step(self: Arc<Self>) -> TransactionFunction {
        Arc::new(move |user| {
            let crew = self.clone();
            Box::pin(async move { crew.step(user).await })
        })
    }

    pub(super) fn leaves(self: Arc<Self>) -> TransactionFunction {
        Arc::new(move |_| {
            let crew = self.clone();
            Box::pin(async move {
                crew.tally.leaves();
                Ok(())
            })
        })
    }

    fn join(&self, user: &mut GooseUser) -> TransactionResult {
        let number = self.joined.fetch_add(1, Ordering::Relaxed);
        let mut walk = Walk::new(self.plan.seed, number);
        let rotate_after = walk.jitter(Duration::from_millis(self.plan.rotate_ms));
        user.client = self.clients.build().map_err(|e| Box::new(TransactionError::Custom(e.to_string())))?;
        let session: Session = Arc::new(Mutex::new(State { walk, connected: Instant::now(), rotate_after }));
        user.set_session_data(session);
        self.tally.joins();
        Ok(())
    }

    async fn step(&self, user: &mut GooseUser) -> TransactionResult {
        let session = user.get_session_data::<Session>().cloned();
        let Some(session) = session.filter(|_| !self.stop.is_cancelled()) else {
            // goose calls again at once until it tells the user to exit.
            tokio::time::sleep(Duration::from_millis(20)).await;
            return Ok(());
        };
        let mut state = session.lock().await;
        let step = state.walk.next(&self.journeys);
        let mut pause = state.walk.think(&self.journeys);
        if let Err(cause) = self.request(user, &mut state, step).await {
            self.tally.failed(step.index, &cause.text, cause.server.as_deref());
            state.walk.abandon();
            pause = pause.max(PAUSE_AFTER_FAILURE);
        }
        if !pause.is_zero() {
            let _ = tokio::time::timeout(pause, self.stop.cancelled()).await;
        }
        Ok(())
    }

    async fn request(&self, user: &mut GooseUser, state: &mut State, step: &ReadyStep) -> Result<(), Cause> {
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let filled = state.walk.fill(step, seq).map_err(|e| Cause::new(e.to_string()))?;
        let mut builder = user.get_request_builder(&step.method, &filled.path).map_err(|e| Cause::new(format!("request: {e:?}")))?;
        for (name, value) in &filled.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = &filled.body {
            builder = builder.json(body);
        }
        if state.connected.elapsed() > state.rotate_after {
            // The last request on this connection; the next one opens another, perhaps to a newer pod.
            builder = builder.header("connection", "close");
            state.connected = Instant::now();
        }
        let request = GooseRequest::builder().method(step.method).path(filled.path.as_str());
        let request = request.expect_status_code(step.expect_status).set_request_builder(builder).build();

        let sent = Instant::now();
        let answer = user.request(request).await.map_err(|e| Cause::new(format!("request: {e:?}")))?;
        let response = answer.response.map_err(|e| Cause::new(cause(&e)))?;
        let status = response.status().as_u16();
        let server = response.headers().get(SERVED_BY).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let fail = |text: String| Cause { text, server: server.clone() };
        // goose stops its watch at the headers; users wait for the whole answer.
        let body = response.bytes().await.map_err(|e| fail(cause(&e).to_owned()))?;
        let latency = sent.elapsed();
        if status != step.expect_status {
            return Err(fail(format!("status {status}")));
        }
        state.walk.capture(step, &body).map_err(|name| fail(format!("capture {name}")))?;
        self.tally.answered(step.index, latency, server.as_deref());
        Ok(())
    }
}

/// Why a request failed, and who answered it, if anyone did.
struct Cause {
    text: String,
    server: Option<String>,
}

impl Cause {
    fn new(text: impl Into<String>) -> Self {
        Cause { text: text.into(), server: None }
    }
}

//! One thread of the generator: hands on what is due, and a pool of connections that take it.

use super::OpenPlan;
use super::connection::{Connection, Target};
use super::recording::Recording;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio::task::LocalSet;
use tokio_util::sync::CancellationToken;

/// Which of the arrivals a thread sends: every `of`th, from `index` on.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) index: usize,
    pub(super) of: usize,
}

struct Pool {
    target: Target,
    start: Instant,
    /// Intended and handed-on times of what waits, in ns since the start.
    waiting: RefCell<VecDeque<(u64, u64)>>,
    came: Notify,
    seen: RefCell<Recording>,
    idle: Cell<usize>,
    open: Cell<usize>,
    /// Requests under way or waiting.
    unfinished: Cell<u64>,
    finished: Notify,
}

impl Pool {
    fn now_ns(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A connection's life: takes what waits, one after the other.
    async fn serve(self: Rc<Self>) {
        let mut connection = Connection::default();
        loop {
            let next = self.waiting.borrow_mut().pop_front();
            let Some((intended, handed_on)) = next else {
                self.idle.set(self.idle.get() + 1);
                self.came.notified().await;
                self.idle.set(self.idle.get().saturating_sub(1));
                continue;
            };
            let opens = connection.is_closed();
            let sent = self.now_ns();
            let done = connection.send(&self.target).await;
            let ended = self.now_ns();
            let mut seen = self.seen.borrow_mut();
            seen.connections += u64::from(opens);
            seen.wait.add_ns(sent - handed_on);
            seen.service.add_ns(ended - sent);
            seen.latency.add_ns(ended - intended);
            match done {
                Ok(()) => seen.ok += 1,
                Err(cause) => *seen.errors.entry(cause).or_default() += 1,
            }
            self.unfinished.set(self.unfinished.get() - 1);
            self.finished.notify_one();
        }
    }

    /// Hands on one arrival: to an idle connection, a new one, or to those that wait.
    fn take(self: &Rc<Self>, intended: u64, limit: usize, queue: usize) {
        let now = self.now_ns();
        {
            let mut seen = self.seen.borrow_mut();
            seen.due += 1;
            seen.lag.add_ns(now.saturating_sub(intended));
            if self.waiting.borrow().len() >= queue {
                seen.dropped += 1;
                return;
            }
        }
        self.unfinished.set(self.unfinished.get() + 1);
        self.waiting.borrow_mut().push_back((intended, now));
        if self.idle.get() < self.waiting.borrow().len() && self.open.get() < limit {
            self.open.set(self.open.get() + 1);
            tokio::task::spawn_local(self.clone().serve());
        }
        self.came.notify_one();
    }
}

/// Sends a part of the plan's arrivals. Returns when all are answered, or some time after a stop.
pub(super) fn run(plan: &OpenPlan, target: Target, part: Part, start: Instant, stop: &CancellationToken) -> std::io::Result<Recording> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (limit, queue) = (plan.connections.div_ceil(part.of).max(1), plan.queue.div_ceil(part.of).max(1));
    let drain = target.timeout();
    let pool = Rc::new(Pool {
        target,
        start,
        waiting: RefCell::default(),
        came: Notify::new(),
        seen: RefCell::default(),
        idle: Cell::new(0),
        open: Cell::new(0),
        unfinished: Cell::new(0),
        finished: Notify::new(),
    });
    let local = LocalSet::new();
    let sending = async {
        for intended in plan.shape.arrivals(plan.spacing, plan.seed).skip(part.index).step_by(part.of) {
            let due = start + Duration::from_nanos(intended);
            if Instant::now() < due {
                tokio::select! {
                    () = tokio::time::sleep_until(due.into()) => {}
                    () = stop.cancelled() => break,
                }
            } else if stop.is_cancelled() {
                break;
            }
            pool.take(intended, limit, queue);
        }
        // A request ends by its own timeout; those that wait behind it may take as long once more.
        let drained = async {
            while pool.unfinished.get() > 0 {
                pool.finished.notified().await;
            }
        };
        let _ = tokio::time::timeout(drain * 2, drained).await;
        let left = pool.unfinished.get();
        let mut seen = pool.seen.borrow_mut();
        if left > 0 {
            *seen.errors.entry("unfinished".to_owned()).or_default() += left;
        }
        std::mem::take(&mut *seen)
    };
    Ok(local.block_on(&runtime, sending))
}

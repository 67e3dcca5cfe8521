//! The parent's side of a load: starts the child, puts its seconds on the run's clock, stops it.

use crate::plan::{LoadPlan, PlanError};
use crate::protocol::{ChildLine, Ended};
use crate::series::{Second, Window};
use gauntlet_reports::event::EventKind;
use gauntlet_reports::recorder::Recorder;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// How long the child has to end after it was told to. Longer than its own grace for requests under way.
const END_WITHIN: Duration = Duration::from_secs(8);

/// A second in which the generator's own timer was later than this was starved, in ms.
pub const STARVED_LAG_MS: u64 = 500;

/// A load is starved when more than this share of its seconds was.
pub const STARVED_SHARE: f64 = 0.25;

/// Why there is no load.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan cannot be run.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The child could not be started or given its plan.
    #[error("start the load generator {program}: {cause}")]
    Start {
        /// The program.
        program: String,
        /// Why.
        cause: std::io::Error,
    },
}

/// When a phase began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// The phase that begins.
    pub phase: String,
}

/// What is known of a load so far, and at its end.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct LoadResult {
    /// When the first user started, on the run's clock in ms.
    pub started_ms: Option<u64>,
    /// When each segment of the plan began, on the run's clock in ms; the first begins with the load.
    pub segments: BTreeMap<usize, u64>,
    /// Phases as the caller named them.
    pub phases: Vec<Mark>,
    /// When each server answered for the first time, where answers name it, on the run's clock in ms.
    pub servers: BTreeMap<String, u64>,
    /// How the child ended; `None` while it runs and when it was killed.
    pub ended: Option<EndedSummary>,
    /// What the child wrote to standard error: the cause when there was no load.
    pub complaint: String,
    /// Second by second.
    pub seconds: Vec<Second>,
}

/// How the child ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EndedSummary {
    /// On the run's clock, in ms.
    pub at_ms: u64,
    /// `plan is over`, `stopped`, `deadline`, or what went wrong.
    pub why: String,
    /// Processor time that it used, in ms.
    pub cpu_ms: u64,
}

impl LoadResult {
    /// The sum over the seconds that lie inside `[from_ms, to_ms)` as a whole. A second at the edge is left out: part of
    /// it belongs to something else.
    pub fn window(&self, from_ms: u64, to_ms: u64) -> Window {
        Window::of(self.between(from_ms, to_ms))
    }

    /// The seconds that lie inside `[from_ms, to_ms)` as a whole.
    pub fn between(&self, from_ms: u64, to_ms: u64) -> impl Iterator<Item = &Second> {
        self.seconds.iter().filter(move |s| s.at_ms >= from_ms && s.at_ms + 1000 <= to_ms)
    }

    /// The sum over everything outside of `[from_ms, to_ms)`, edge seconds included in neither.
    pub fn outside(&self, from_ms: u64, to_ms: u64) -> Window {
        Window::of(self.seconds.iter().filter(|s| s.at_ms + 1000 <= from_ms || s.at_ms >= to_ms))
    }

    /// Begin and end of a phase, in ms on the run's clock. The last phase ends with the last second.
    pub fn span(&self, phase: &str) -> Option<(u64, u64)> {
        let index = self.phases.iter().position(|m| m.phase == phase)?;
        let end = self.seconds.last().map_or(0, |s| s.at_ms + 1000);
        Some((self.phases[index].at_ms, self.phases.get(index + 1).map_or(end, |m| m.at_ms)))
    }

    /// Share of the seconds in which the generator was starved, 0 to 1.
    pub fn starved_share(&self) -> f64 {
        let starved = self.seconds.iter().filter(|s| s.lag_ms > STARVED_LAG_MS).count();
        if self.seconds.is_empty() { 0.0 } else { starved as f64 / self.seconds.len() as f64 }
    }

    /// True when the generator did not get enough processor time to be believed.
    pub fn starved(&self) -> bool {
        self.starved_share() > STARVED_SHARE
    }
}

/// A load that flows. Dropped, it kills the child.
pub struct RunningLoad {
    child: Child,
    stdin: Option<ChildStdin>,
    state: watch::Sender<LoadResult>,
    reader: JoinHandle<()>,
    complaints: JoinHandle<String>,
    recorder: Recorder,
    deadline: tokio::time::Instant,
}

/// Starts `program` with `args`, which must call [`crate::goose_child::child_main`], and gives it the plan. From then on
/// the load's series go to the recorder each second.
///
/// # Errors
/// [`LoadError`]. A load that breaks later shows in [`LoadResult::ended`] and [`LoadResult::complaint`].
pub async fn spawn(program: &Path, args: &[&str], plan: &LoadPlan, recorder: Recorder) -> Result<RunningLoad, LoadError> {
    plan.check()?;
    let failed = |cause| LoadError::Start { program: program.display().to_string(), cause };
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    // A group of its own: Ctrl-C in the terminal reaches the parent only, which stops the load when it is time.
    command.process_group(0);
    let mut child = command.spawn().map_err(failed)?;
    let missing = || failed(std::io::Error::other("a pipe is missing"));
    let (stdout, mut stderr) = (child.stdout.take().ok_or_else(missing)?, child.stderr.take().ok_or_else(missing)?);
    let mut stdin = child.stdin.take().ok_or_else(missing)?;
    let mut line = serde_json::to_string(plan).map_err(|e| failed(e.into()))?;
    line.push('\n');
    stdin.write_all(line.as_bytes()).await.map_err(failed)?;
    stdin.flush().await.map_err(failed)?;

    let (state, _) = watch::channel(LoadResult::default());
    let reader = tokio::spawn(read(stdout, state.clone(), recorder.clone()));
    let complaints = tokio::spawn(async move {
        let mut text = Vec::new();
        let _ = (&mut stderr).take(64 * 1024).read_to_end(&mut text).await;
        // Go on reading, so that a talkative child never blocks.
        let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
        String::from_utf8_lossy(&text).trim().to_owned()
    });
    let deadline = tokio::time::Instant::now() + Duration::from_secs(plan.max_seconds) + END_WITHIN;
    Ok(RunningLoad { child, stdin: Some(stdin), state, reader, complaints, recorder, deadline })
}

impl RunningLoad {
    /// Begins a phase now and says so in the events.
    pub fn phase(&self, name: &str) {
        self.phase_at(self.recorder.clock().now_ms(), name);
    }

    /// Begins a phase at a time on the run's clock, such as the one of a segment.
    pub fn phase_at(&self, at_ms: u64, name: &str) {
        self.state.send_modify(|s| s.phases.push(Mark { at_ms, phase: name.to_owned() }));
        self.recorder.emit_at(at_ms, EventKind::Phase { phase: name.to_owned() });
    }

    /// What is known so far, and a way to wait for more.
    pub fn watch(&self) -> watch::Receiver<LoadResult> {
        self.state.subscribe()
    }

    /// Waits until a segment of the plan has begun and gives the time, in ms on the run's clock. `None`: the load ended
    /// before it.
    pub async fn segment(&self, index: usize) -> Option<u64> {
        let mut state = self.watch();
        let reached = |s: &LoadResult| s.segments.contains_key(&index) || s.ended.is_some();
        let state = state.wait_for(reached).await.ok()?;
        state.segments.get(&index).copied()
    }

    /// Waits for the first second with an answered request, up to a time. False: none came, or the load ended.
    pub async fn flows(&self, within: Duration) -> bool {
        let mut state = self.watch();
        let answered = |s: &LoadResult| s.seconds.iter().any(|x| x.steps.values().any(|step| step.ok > 0));
        let wait = state.wait_for(|s| answered(s) || s.ended.is_some());
        match tokio::time::timeout(within, wait).await {
            Ok(Ok(state)) => answered(&state),
            _ => false,
        }
    }

    /// Waits until the load has ended by itself. It ends at its deadline at the latest: the child is killed then.
    pub async fn over(&mut self) {
        let _ = tokio::time::timeout_at(self.deadline, self.child.wait()).await;
        let _ = self.child.start_kill();
    }

    /// Stops the load: closes the child's standard input, waits for its last words, kills it when it does not end.
    pub async fn stop(mut self) -> LoadResult {
        drop(self.stdin.take());
        if tokio::time::timeout(END_WITHIN, self.child.wait()).await.is_err() {
            let _ = self.child.kill().await;
        }
        let _ = self.reader.await;
        let complaint = self.complaints.await.unwrap_or_default();
        self.state.send_modify(|s| s.complaint = complaint);
        self.state.borrow().clone()
    }
}

async fn read(stdout: ChildStdout, state: watch::Sender<LoadResult>, recorder: Recorder) {
    let mut lines = BufReader::new(stdout).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        // What is no line of ours was printed by a library and tells nothing.
        let Ok(line) = serde_json::from_str::<ChildLine>(&line) else { continue };
        if let ChildLine::Second(second) = &line {
            emit(&recorder, second);
        }
        state.send_modify(|s| take(s, line));
    }
    // The pipe is closed: whoever waits must not wait for ever.
    let lost = || EndedSummary { at_ms: recorder.clock().now_ms(), why: "the load generator was lost".to_owned(), cpu_ms: 0 };
    state.send_modify(|s| {
        s.ended.get_or_insert_with(lost);
    });
}

fn take(state: &mut LoadResult, line: ChildLine) {
    match line {
        ChildLine::Started { at_ms } => {
            state.started_ms = Some(at_ms);
            state.segments.insert(0, at_ms);
        }
        ChildLine::Segment { index, at_ms } => {
            state.segments.insert(index, at_ms);
        }
        ChildLine::Server { name, at_ms } => {
            state.servers.entry(name).or_insert(at_ms);
        }
        ChildLine::Second(second) => state.seconds.push(second),
        ChildLine::Ended(Ended { at_ms, why, cpu_ms }) => state.ended = Some(EndedSummary { at_ms, why, cpu_ms }),
    }
}

/// Puts a second's figures on the run's clock, stamped at its end: who asks "after the fault?" must not be shown a second
/// that the fault began in.
fn emit(recorder: &Recorder, second: &Second) {
    let window = Window::of([second]);
    let sample = |series: &str, value: f64| {
        let kind = EventKind::Sample { series: series.to_owned(), labels: BTreeMap::new(), value };
        recorder.emit_at(second.at_ms + 1000, kind);
    };
    sample("requests_per_s", window.requests as f64);
    sample("errors_per_s", window.failed() as f64);
    for (series, quantile) in [("latency_p50_ms", 0.5), ("latency_p95_ms", 0.95), ("latency_p99_ms", 0.99)] {
        if let Some(ms) = window.latency_ms(quantile) {
            sample(series, ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::StepSecond;

    fn second(at_ms: u64, ok: u64, errors: u64, lag_ms: u64) -> Second {
        let errors = if errors > 0 { BTreeMap::from([("status 503".to_owned(), errors)]) } else { BTreeMap::new() };
        let step = StepSecond { ok, errors, latency_us: vec![(5_000, ok)] };
        Second { at_ms, lag_ms, steps: BTreeMap::from([("a/b".to_owned(), step)]), ..Second::default() }
    }

    fn result() -> LoadResult {
        let mark = |at_ms, phase: &str| Mark { at_ms, phase: phase.to_owned() };
        LoadResult {
            phases: vec![mark(1_000, "before"), mark(3_500, "during")],
            seconds: (1..7).map(|i| second(i * 1000, 10, u64::from(i == 3), if i < 3 { 900 } else { 0 })).collect(),
            ..LoadResult::default()
        }
    }

    #[test]
    fn a_second_at_the_edge_of_a_phase_belongs_to_neither() {
        let result = result();
        assert_eq!((result.span("before"), result.span("during")), (Some((1_000, 3_500)), Some((3_500, 7_000))));
        let before = result.window(1_000, 3_500);
        assert_eq!((before.requests, before.failed()), (20, 0), "the failure at 3.0-4.0 s lies at the edge");
        assert_eq!(result.window(3_500, 7_000).requests, 30);
        assert_eq!(result.span("after"), None);
    }

    #[test]
    fn inside_and_outside_of_a_fault() {
        let result = result();
        assert_eq!((result.window(3_000, 4_000).failed(), result.outside(3_000, 4_000).failed()), (1, 0));
        assert_eq!(result.outside(3_000, 4_000).requests, 50);
    }

    #[test]
    fn starvation_is_a_share_of_seconds() {
        let result = result();
        assert!((result.starved_share() - 2.0 / 6.0).abs() < 1e-9 && result.starved());
        assert!(!LoadResult::default().starved());
    }
}
